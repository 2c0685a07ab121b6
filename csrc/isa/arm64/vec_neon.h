/* Vectors of 4 int32: what the tuned code of NEON and of the dot product has in common. */
#ifndef BYTEPROP_ISA_VEC_NEON_H
#define BYTEPROP_ISA_VEC_NEON_H

#include "isa/packed.h"
#include <arm_neon.h>
#include <stddef.h>

#define PACKED_TARGET
#define PACKED_INLINE static inline __attribute__((always_inline))

enum { LANES = 4 };
typedef int32x4_t vec_t;

PACKED_INLINE vec_t load_sums(const int32_t *p) {
    return vld1q_s32(p);
}

PACKED_INLINE vec_t zero_sums(void) {
    return vdupq_n_s32(0);
}

PACKED_INLINE vec_t set_all(int32_t value) {
    return vdupq_n_s32(value);
}

PACKED_INLINE vec_t add(vec_t a, vec_t b) {
    return vaddq_s32(a, b);
}

PACKED_INLINE vec_t sub(vec_t a, vec_t b) {
    return vsubq_s32(a, b);
}

PACKED_INLINE vec_t mul(vec_t a, vec_t b) {
    return vmulq_s32(a, b);
}

PACKED_INLINE uint32_t load_word(const void *p) {
    uint32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return word;
}

PACKED_INLINE vec_t widened(const int8_t *x) {
    const int8x8_t bytes = vreinterpret_s8_u32(vdup_n_u32(load_word(x)));
    return vmovl_s16(vget_low_s16(vmovl_s8(bytes)));
}

#define shift_left(x, bits) vshlq_n_s32(x, bits)

/* ---- requantisation ---- */

typedef vec_t mult_t;

PACKED_INLINE mult_t mult_of(vec_t mult_q31) {
    return mult_q31;
}

/* (x * mult + 2^30) >> 31 */
PACKED_INLINE vec_t mul_high(vec_t x, mult_t mult) {
    return vqrdmulhq_s32(x, mult);
}

/* The same, from 2 * x. */
PACKED_INLINE vec_t mul_high_twice(vec_t twice, mult_t mult) {
    return mul_high(vshrq_n_s32(twice, 1), mult);
}

/* mul_high(x) + sign(x) + something. */
#define SUM_OFFSET 0
typedef struct {
    vec_t mult, added;
} sum_mult_t;

PACKED_INLINE sum_mult_t sum_mult_of(vec_t mult_q31, vec_t added) {
    return (sum_mult_t){mult_q31, added};
}

PACKED_INLINE vec_t mul_high_sum(vec_t sum, const sum_mult_t *mult) {
    return vaddq_s32(mul_high(sum, mult->mult), vsraq_n_s32(mult->added, sum, 31));
}

/* The same from 2 * x + zero. */
typedef struct {
    sum_mult_t sum;
    vec_t zero;
} zero_mult_t;

PACKED_INLINE zero_mult_t zero_mult_of(int32_t mult_q31, int32_t zero, int32_t added) {
    return (zero_mult_t){sum_mult_of(set_all(mult_q31), set_all(added)), set_all(zero)};
}

PACKED_INLINE vec_t mul_high_from_zero(vec_t twice, const zero_mult_t *mult) {
    return mul_high_sum(vshrq_n_s32(vsubq_s32(twice, mult->zero), 1), &mult->sum);
}

/* -1 for what is below 0. */
PACKED_INLINE vec_t sign(vec_t x) {
    return vshrq_n_s32(x, 31);
}

PACKED_INLINE vec_t both(vec_t a, vec_t b) {
    return vandq_s32(a, b);
}

PACKED_INLINE vec_t shift_right(vec_t x, vec_t bits) {
    return vshlq_s32(x, vnegq_s32(bits));
}

/* ---- results as bytes ---- */

typedef struct {
    int8x16_t y_min, y_max;
} range_t;

PACKED_INLINE range_t range_of(int8_t y_min, int8_t y_max) {
    return (range_t){vdupq_n_s8(y_min), vdupq_n_s8(y_max)};
}

/* Four vectors saturated and clamped, one after the other. */
PACKED_INLINE int8x16_t narrowed(vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    const int16x8_t first = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    const int16x8_t second = vcombine_s16(vqmovn_s32(c), vqmovn_s32(d));
    const int8x16_t y = vcombine_s8(vqmovn_s16(first), vqmovn_s16(second));
    return vminq_s8(vmaxq_s8(y, range.y_min), range.y_max);
}

PACKED_INLINE void put_4(int8_t *y, vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    vst1q_s8(y, narrowed(a, b, c, d, range));
}

#endif
