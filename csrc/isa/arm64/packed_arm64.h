/* Packed convolutions for arm64, for files that define before they include this: dot(sum, x, w), sum
 * + the four products of bytes of each lane, added up. */
#ifndef BYTEPROP_ISA_PACKED_ARM64_H
#define BYTEPROP_ISA_PACKED_ARM64_H

enum { PIXELS = 8 };
#define PIXELS_IN_ROWS 1
typedef int8x16_t word_t, four_taps_t;

PACKED_INLINE int8x16_t load_weights(const uint8_t *p) {
    return vreinterpretq_s8_u8(vld1q_u8(p));
}

PACKED_INLINE int8x16_t broadcast(const uint8_t *p) {
    return vreinterpretq_s8_u32(vdupq_n_u32(load_word(p)));
}

#include "isa/packed_scaling.h"

/* n of 4 or 8 bytes. */
PACKED_INLINE void put_bytes(int8_t *y, int8x8_t bytes, uint32_t n, uint32_t most) {
    if (n >= 8 && most == 8) {
        vst1_s8(y, bytes);
    } else {
        int8_t all[8];
        vst1_s8(all, bytes);
        __builtin_memcpy(y, all, n < most ? n : most);
    }
}

PACKED_INLINE void put_results(int8_t *y, size_t step, uint32_t n, uint32_t width, vec_t a, vec_t b,
                               vec_t c, vec_t d, const scaling_t *s, const scaling_t *t) {
    const int8x16_t bytes =
        narrowed(scaled(a, s), scaled(b, t), scaled(c, s), scaled(d, t), s->range);
    const int8x8_t low = vget_low_s8(bytes), high = vget_high_s8(bytes);
    if (s != t) {
        put_bytes(y, low, width, 8);
        if (n > 1) {
            put_bytes(y + step, high, width, 8);
        }
        return;
    }
    put_bytes(y, low, width, 4);
    if (n > 1) {
        put_bytes(y + step, vext_s8(low, low, 4), width, 4);
    }
    if (n > 2) {
        put_bytes(y + 2 * step, high, width, 4);
    }
    if (n > 3) {
        put_bytes(y + 3 * step, vext_s8(high, high, 4), width, 4);
    }
}

/* The taps of 4 channels, one after the other, are transposed. */
PACKED_INLINE four_taps_t load_quad(const uint8_t *x, size_t tap, int n) {
    static const uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    uint32x4_t taps = vdupq_n_u32(load_word(x));
    if (n > 1) {
        taps = vsetq_lane_u32(load_word(x + tap), taps, 1);
    }
    if (n > 2) {
        taps = vsetq_lane_u32(load_word(x + 2 * tap), taps, 2);
    }
    if (n > 3) {
        taps = vsetq_lane_u32(load_word(x + 3 * tap), taps, 3);
    }
    return vqtbl1q_s8(vreinterpretq_s8_u32(taps), vld1q_u8(order));
}

PACKED_INLINE vec_t dot_quad(vec_t sum, four_taps_t quad, const uint8_t *w) {
    return dot(sum, quad, load_weights(w));
}

PACKED_INLINE void put_outputs(int8_t *y, vec_t sum, const scaling_t *s, uint32_t n) {
    const vec_t y_values = scaled(sum, s);
    const int8x16_t bytes = narrowed(y_values, y_values, y_values, y_values, s->range);
    put_bytes(y, vget_low_s8(bytes), n, 4);
}

#include "isa/packed_conv.h"
#include "isa/packed_depthwise.h"

static void copy(uint8_t *to, const int8_t *x, uint32_t n) {
    __builtin_memcpy(to, x, n);
}

#endif
