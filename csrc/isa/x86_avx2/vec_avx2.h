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
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(twice, 32), mult.odd), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

PACKED_INLINE vec_t mul_high(vec_t x, mult_t mult) {
    return mul_high_twice(add(x, x), mult);
}

/* The same for x + SUM_OFFSET, which is not below 0: what that adds to the product is in the halves. */
#define SUM_OFFSET ((int32_t)1 << 28)
typedef struct {
    vec_t even, odd, even_half, odd_half;
} sum_mult_t;

PACKED_INLINE sum_mult_t sum_mult_of(vec_t mult_q31) {
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 31);
    const __m256i even = _mm256_srli_epi64(_mm256_slli_epi64(mult_q31, 32), 32);
    const __m256i odd = _mm256_srli_epi64(mult_q31, 32);
    return (sum_mult_t){
        .even = _mm256_slli_epi64(even, 1),
        .odd = _mm256_slli_epi64(odd, 1),
        .even_half = _mm256_sub_epi64(half, _mm256_slli_epi64(even, 29)),
        .odd_half = _mm256_sub_epi64(half, _mm256_slli_epi64(odd, 29)),
    };
}

PACKED_INLINE vec_t mul_high_sum(vec_t sum, const sum_mult_t *mult) {
    const __m256i high_lanes = _mm256_srli_epi64(sum, 32);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epu32(sum, mult->even), mult->even_half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epu32(high_lanes, mult->odd), mult->odd_half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
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
