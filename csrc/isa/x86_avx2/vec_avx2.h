/* Vectors of 8 int32: what the tuned code of AVX2 and of AVX-VNNI has in common. Who includes this
 * has defined PACKED_TARGET. */
#ifndef BYTEPROP_ISA_VEC_AVX2_H
#define BYTEPROP_ISA_VEC_AVX2_H

#include "isa/packed.h"
#include <immintrin.h>
#include <stddef.h>

#define PACKED_INLINE static inline PACKED_TARGET __attribute__((always_inline))

enum { LANES = 8 };
typedef __m256i vec_t;

PACKED_INLINE vec_t load_sums(const int32_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

PACKED_INLINE vec_t zero_sums(void) {
    return _mm256_setzero_si256();
}

PACKED_INLINE vec_t set_all(int32_t value) {
    return _mm256_set1_epi32(value);
}

PACKED_INLINE vec_t add(vec_t a, vec_t b) {
    return _mm256_add_epi32(a, b);
}

PACKED_INLINE vec_t sub(vec_t a, vec_t b) {
    return _mm256_sub_epi32(a, b);
}

PACKED_INLINE vec_t mul(vec_t a, vec_t b) {
    return _mm256_mullo_epi32(a, b);
}

PACKED_INLINE __m128i load_8(const void *p) {
    return _mm_loadl_epi64((const __m128i *)p);
}

PACKED_INLINE vec_t widened(const int8_t *x) {
    return _mm256_cvtepi8_epi32(load_8(x));
}

#define shift_left(x, bits) _mm256_slli_epi32(x, bits)

/* ---- requantisation ---- */

/* Multipliers of even and of odd lanes. */
typedef struct {
    vec_t even, odd;
} mult_t;

PACKED_INLINE mult_t mult_of(vec_t mult_q31) {
    return (mult_t){mult_q31, _mm256_srli_epi64(mult_q31, 32)};
}

/* (x * mult + 2^30) >> 31, the upper word of 2 * x * mult + 2^31, from 2 * x. |x| < 2^30. */
PACKED_INLINE vec_t mul_high_twice(vec_t twice, mult_t mult) {
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 31);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(twice, mult.even), half);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_shuffle_epi32(twice, 0xF5), mult.odd), half);
    return _mm256_blend_epi32(_mm256_shuffle_epi32(even, 0xF5), odd, 0xAA);
}

PACKED_INLINE vec_t mul_high(vec_t x, mult_t mult) {
    return mul_high_twice(add(x, x), mult);
}

/* mul_high(x) + sign(x) + something, from x + SUM_OFFSET, which is not below 0: what is added, and
 * what the offset adds to the product, are in the halves. Bit 28 says that x is not below 0. */
enum { SUM_OFFSET_BIT = 28 };
#define SUM_OFFSET ((int32_t)1 << SUM_OFFSET_BIT)
typedef struct {
    vec_t even, odd, even_half, odd_half;
} sum_mult_t;

PACKED_INLINE sum_mult_t sum_mult_of(vec_t mult_q31, vec_t added) {
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 31), less = sub(added, set_all(1));
    const __m256i even = _mm256_srli_epi64(_mm256_slli_epi64(mult_q31, 32), 32);
    const __m256i odd = _mm256_srli_epi64(mult_q31, 32);
    const __m256i even_less = _mm256_add_epi64(_mm256_slli_epi64(less, 32), half);
    const __m256i odd_less =
        _mm256_add_epi64(_mm256_slli_epi64(_mm256_srli_epi64(less, 32), 32), half);
    return (sum_mult_t){
        .even = _mm256_slli_epi64(even, 1),
        .odd = _mm256_slli_epi64(odd, 1),
        .even_half = _mm256_sub_epi64(even_less, _mm256_slli_epi64(even, SUM_OFFSET_BIT + 1)),
        .odd_half = _mm256_sub_epi64(odd_less, _mm256_slli_epi64(odd, SUM_OFFSET_BIT + 1)),
    };
}

PACKED_INLINE vec_t mul_high_sum(vec_t sum, const sum_mult_t *mult) {
    const __m256i high_lanes = _mm256_shuffle_epi32(sum, 0xF5);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epu32(sum, mult->even), mult->even_half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epu32(high_lanes, mult->odd), mult->odd_half);
    const __m256i high = _mm256_blend_epi32(_mm256_shuffle_epi32(even, 0xF5), odd, 0xAA);
    return add(high, _mm256_srli_epi32(sum, SUM_OFFSET_BIT));
}

/* The same from 2 * x + zero. */
typedef struct {
    vec_t mult, half, zero;
} zero_mult_t;

PACKED_INLINE zero_mult_t zero_mult_of(int32_t mult_q31, int32_t zero, int32_t added) {
    const int64_t half = ((int64_t)1 << 31) + ((int64_t)added << 32) - (int64_t)zero * mult_q31;
    return (zero_mult_t){set_all(mult_q31), _mm256_set1_epi64x(half), set_all(zero)};
}

PACKED_INLINE vec_t mul_high_from_zero(vec_t twice, const zero_mult_t *mult) {
    const __m256i high_lanes = _mm256_shuffle_epi32(twice, 0xF5);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(twice, mult->mult), mult->half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(high_lanes, mult->mult), mult->half);
    const __m256i high = _mm256_blend_epi32(_mm256_shuffle_epi32(even, 0xF5), odd, 0xAA);
    return _mm256_add_epi32(high, _mm256_cmpgt_epi32(mult->zero, twice));
}

/* -1 for what is below 0. */
PACKED_INLINE vec_t sign(vec_t x) {
    return _mm256_srai_epi32(x, 31);
}

PACKED_INLINE vec_t both(vec_t a, vec_t b) {
    return _mm256_and_si256(a, b);
}

PACKED_INLINE vec_t shift_right(vec_t x, vec_t bits) {
    return _mm256_srav_epi32(x, bits);
}

/* ---- results as bytes ---- */

typedef struct {
    __m256i y_min, y_max;
} range_t;

PACKED_INLINE range_t range_of(int8_t y_min, int8_t y_max) {
    return (range_t){_mm256_set1_epi8(y_min), _mm256_set1_epi8(y_max)};
}

/* Four vectors saturated and clamped, one after the other. */
PACKED_INLINE __m256i narrowed(vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    const __m256i y = _mm256_permutevar8x32_epi32(bytes, order);
    return _mm256_min_epi8(_mm256_max_epi8(y, range.y_min), range.y_max);
}

PACKED_INLINE void put_4(int8_t *y, vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    _mm256_storeu_si256((__m256i *)(void *)y, narrowed(a, b, c, d, range));
}

#endif
