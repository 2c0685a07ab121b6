/* Vectors of 16 int32: what the tuned code of AVX512 has in common. */
#ifndef BYTEPROP_ISA_VEC_AVX512_H
#define BYTEPROP_ISA_VEC_AVX512_H

#include "isa/packed.h"
#include <immintrin.h>
#include <stddef.h>

#define PACKED_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define PACKED_INLINE static inline PACKED_TARGET __attribute__((always_inline))

enum { LANES = 16 };
typedef __m512i vec_t;

PACKED_INLINE vec_t load_sums(const int32_t *p) {
    return _mm512_loadu_si512(p);
}

PACKED_INLINE vec_t zero_sums(void) {
    return _mm512_setzero_si512();
}

PACKED_INLINE vec_t set_all(int32_t value) {
    return _mm512_set1_epi32(value);
}

PACKED_INLINE vec_t add(vec_t a, vec_t b) {
    return _mm512_add_epi32(a, b);
}

PACKED_INLINE vec_t sub(vec_t a, vec_t b) {
    return _mm512_sub_epi32(a, b);
}

PACKED_INLINE vec_t mul(vec_t a, vec_t b) {
    return _mm512_mullo_epi32(a, b);
}

PACKED_INLINE vec_t widened(const int8_t *x) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
}

#define shift_left(x, bits) _mm512_slli_epi32(x, bits)

/* ---- requantisation ---- */

/* Multipliers of even and of odd lanes. */
typedef struct {
    vec_t even, odd;
} mult_t;

PACKED_INLINE mult_t mult_of(vec_t mult_q31) {
    return (mult_t){mult_q31, _mm512_srli_epi64(mult_q31, 32)};
}

/* (x * mult + 2^30) >> 31, the upper word of 2 * x * mult + 2^31, from 2 * x. |x| < 2^30. */
PACKED_INLINE vec_t mul_high_twice(vec_t twice, mult_t mult) {
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 31);
    const __m512i high_lanes = _mm512_shuffle_epi32(twice, _MM_PERM_DDBB);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, mult.even), half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(high_lanes, mult.odd), half);
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
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
    const __m512i half = _mm512_set1_epi64((int64_t)1 << 31), less = sub(added, set_all(1));
    const __m512i even = _mm512_srli_epi64(_mm512_slli_epi64(mult_q31, 32), 32);
    const __m512i odd = _mm512_srli_epi64(mult_q31, 32);
    const __m512i even_less = _mm512_add_epi64(_mm512_slli_epi64(less, 32), half);
    const __m512i odd_less =
        _mm512_add_epi64(_mm512_slli_epi64(_mm512_srli_epi64(less, 32), 32), half);
    return (sum_mult_t){
        .even = _mm512_slli_epi64(even, 1),
        .odd = _mm512_slli_epi64(odd, 1),
        .even_half = _mm512_sub_epi64(even_less, _mm512_slli_epi64(even, SUM_OFFSET_BIT + 1)),
        .odd_half = _mm512_sub_epi64(odd_less, _mm512_slli_epi64(odd, SUM_OFFSET_BIT + 1)),
    };
}

PACKED_INLINE vec_t mul_high_sum(vec_t sum, const sum_mult_t *mult) {
    const __m512i high_lanes = _mm512_shuffle_epi32(sum, _MM_PERM_DDBB);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epu32(sum, mult->even), mult->even_half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epu32(high_lanes, mult->odd), mult->odd_half);
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    return add(high, _mm512_srli_epi32(sum, SUM_OFFSET_BIT));
}

/* The same from 2 * x + zero. */
typedef struct {
    vec_t mult, half, zero;
} zero_mult_t;

PACKED_INLINE zero_mult_t zero_mult_of(int32_t mult_q31, int32_t zero, int32_t added) {
    const int64_t half = ((int64_t)1 << 31) + ((int64_t)added << 32) - (int64_t)zero * mult_q31;
    return (zero_mult_t){set_all(mult_q31), _mm512_set1_epi64(half), set_all(zero)};
}

PACKED_INLINE vec_t mul_high_from_zero(vec_t twice, const zero_mult_t *mult) {
    const __m512i high_lanes = _mm512_shuffle_epi32(twice, _MM_PERM_DDBB);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(twice, mult->mult), mult->half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(high_lanes, mult->mult), mult->half);
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    const __mmask16 below = _mm512_cmplt_epi32_mask(twice, mult->zero);
    return _mm512_mask_sub_epi32(high, below, high, set_all(1));
}

/* -1 for what is below 0. */
PACKED_INLINE vec_t sign(vec_t x) {
    return _mm512_srai_epi32(x, 31);
}

PACKED_INLINE vec_t both(vec_t a, vec_t b) {
    return _mm512_and_si512(a, b);
}

PACKED_INLINE vec_t shift_right(vec_t x, vec_t bits) {
    return _mm512_srav_epi32(x, bits);
}

/* ---- results as bytes ---- */

typedef struct {
    __m512i y_min, y_max;
} range_t;

PACKED_INLINE range_t range_of(int8_t y_min, int8_t y_max) {
    return (range_t){_mm512_set1_epi8(y_min), _mm512_set1_epi8(y_max)};
}

/* Four vectors saturated and clamped, one after the other. */
PACKED_INLINE __m512i narrowed(vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    const __m512i y = _mm512_permutexvar_epi32(order, bytes);
    return _mm512_min_epi8(_mm512_max_epi8(y, range.y_min), range.y_max);
}

PACKED_INLINE void put_4(int8_t *y, vec_t a, vec_t b, vec_t c, vec_t d, range_t range) {
    _mm512_storeu_si512(y, narrowed(a, b, c, d, range));
}

#endif
