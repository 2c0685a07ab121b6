/* Fixed-point arithmetic: the only file that rounds, saturates or shifts what may be negative.
 * Source of the formulas: docs/numerics.md; they equal TensorFlow Lite's reference kernels. */
#ifndef BYTEPROP_FIXED_H
#define BYTEPROP_FIXED_H

#include <stdint.h>

/* 1 where the CPU has no 32 x 32 -> 64 bit multiplication: products are put together from halves,
 * which changes no bit. */
#ifndef BP_MUL_BY_HALVES
#if defined(__AVR__) || (defined(__thumb__) && !defined(__thumb2__))
#define BP_MUL_BY_HALVES 1
#else
#define BP_MUL_BY_HALVES 0
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
/* x * mult_q31 * 2^(lshift - 31), rounded twice as TensorFlow Lite does (MultiplyByQuantizedMultiplier
 * with double rounding): a saturating rounding doubling high multiplication of x << max(lshift, 0),
 * then a division by 2^max(-lshift, 0), rounded half away from zero.
 * mult_q31: 0 or 2^30 .. 2^31 - 1. lshift: -31 .. 30. Bits shifted out to the left are lost. */
int32_t bp_requant(int32_t x, int32_t mult_q31, int8_t lshift);
/* cdef: end */

/* The same plus a zero point for lshift < 0, in fewer steps; not yet clamped. rounding is
 * bp_short_rounding(y_zp, rshift), rshift = -lshift. docs/numerics.md has the proof and the conditions
 * of an op with the flag FAST: |x| < 2^28, lshift -22 .. -1. */
static inline int32_t bp_requant_short(int32_t x, int32_t mult_q31, int32_t rounding,
                                       uint8_t rshift);
/* (y_zp + 1/2) * 2^rshift */
static inline int32_t bp_short_rounding(int8_t y_zp, uint8_t rshift) {
    return (2 * (int32_t)y_zp + 1) * ((int32_t)1 << (rshift - 1));
}

/* x / 2^rshift rounded half away from zero; rshift 0 .. 31. */
int32_t bp_round_shift_right(int32_t x, uint8_t rshift);
/* (a * b + 2^30) >> 31 as gemmlowp's SaturatingRoundingDoublingHighMul (truncating division). */
int32_t bp_mul_high_q31(int32_t a, int32_t b);
/* a + b modulo 2^32. */
static inline int32_t bp_add_wrap(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}
static inline int32_t bp_clamp(int32_t x, int32_t lo, int32_t hi) {
    return x < lo ? lo : (x > hi ? hi : x);
}
/* bp_mul_high_q31 for |x| < 2^28. */
static inline int32_t bp_mul_high_short(int32_t x, int32_t mult_q31) {
#if BP_MUL_BY_HALVES && defined(__AVR__)
    return bp_mul_high_q31(x, mult_q31);
#elif BP_MUL_BY_HALVES
    /* x = 2^15 * high + low and mult_q31 = 2^16 * m_high + m_low: no sum overflows. */
    const int32_t low = ((x + 0x4000) & 0x7FFF) - 0x4000, high = (x - low) >> 15;
    const int32_t m_low = mult_q31 & 0xFFFF, m_high = mult_q31 >> 16;
    const int32_t middle = high * m_low + 2 * low * m_high + ((low * m_low) >> 15);
    return high * m_high + ((middle + 0x8000) >> 16);
#else
    /* Of twice the product, the upper word: only its lower bits need rounding. */
    const int64_t product = (int64_t)(2 * x) * mult_q31;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}
static inline int32_t bp_requant_short(int32_t x, int32_t mult_q31, int32_t rounding,
                                       uint8_t rshift) {
    return (bp_mul_high_short(x, mult_q31) + (x >> 31) + rounding) >> rshift;
}

#ifdef __cplusplus
}
#endif
#endif
