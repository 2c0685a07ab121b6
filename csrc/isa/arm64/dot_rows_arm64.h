/* bp_dot_rows_s8 for arm64, for files that define before they include this: dot_16(sums, x, w), sums
 * + 16 products of bytes, in any lanes. */
#ifndef BYTEPROP_ISA_DOT_ROWS_ARM64_H
#define BYTEPROP_ISA_DOT_ROWS_ARM64_H

#include <stddef.h>

static inline int8x16_t weights_at(const uint8_t *p) {
    return vreinterpretq_s8_u8(vld1q_u8(p));
}

static inline void dot_rows(int32_t *acc, const int8_t *x, const uint8_t *weights, size_t stride,
                            size_t n_in) {
    const size_t whole = n_in & ~(size_t)15;
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t i = 0; i < whole; i += 16) {
        const int8x16_t xs = vld1q_s8(x + i);
        for (size_t r = 0; r < 4; ++r) {
            sums[r] = dot_16(sums[r], xs, weights_at(weights + r * stride + i));
        }
    }
    for (size_t r = 0; r < 4; ++r) {
        acc[r] = vaddvq_s32(sums[r]);
        for (size_t i = whole; i < n_in; ++i) {
            acc[r] += (int8_t)weights[r * stride + i] * x[i];
        }
    }
}

#endif
