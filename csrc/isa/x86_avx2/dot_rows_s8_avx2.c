/* bp_dot_rows_s8 for x86-64 with AVX2: 16 columns of a row are widened to int16 and multiplied and
 * added in pairs. Exact: a pair of products is at most 2^15 in magnitude, so it fits int32 by far,
 * and int32 sums wrap like the plain C ones, which the limit on n_in keeps from happening. */
#include "isa/isa.h"

#if BP_ISA_X86_64
#include <immintrin.h>
#include <stddef.h>

#define BP_AVX2 __attribute__((target("avx2")))

static inline BP_AVX2 __m256i load_16(const void *p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}

static inline BP_AVX2 __m128i load_8(const void *p) {
    return _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)p));
}

/* 4 columns: a word, the upper half of the result is 0. */
static inline BP_AVX2 __m128i load_4(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return _mm_cvtepi8_epi16(_mm_cvtsi32_si128(word));
}

/* The 4 rows' columns first .. n_in - 1, less than 16 of them: half vectors, then words. The
 * weights may be read up to the multiple of 4, x may not. */
static inline BP_AVX2 void add_last_columns(__m128i sums[4], const int8_t *x,
                                            const uint8_t *weights, size_t row_stride, size_t n) {
    size_t i = 0;
    if (n >= 8) {
        __m128i xs = load_8(x);
        for (size_t r = 0; r < 4; ++r) {
            __m128i w = load_8(weights + r * row_stride);
            sums[r] = _mm_add_epi32(sums[r], _mm_madd_epi16(w, xs));
        }
        i = 8;
    }
    for (; i < n; i += 4) {
        int8_t word[4] = {0, 0, 0, 0};
        for (size_t k = 0; k < 4 && i + k < n; ++k) {
            word[k] = x[i + k];
        }
        __m128i xs = load_4(word);
        for (size_t r = 0; r < 4; ++r) {
            __m128i w = load_4(weights + r * row_stride + i);
            sums[r] = _mm_add_epi32(sums[r], _mm_madd_epi16(w, xs));
        }
    }
}

static inline BP_AVX2 __m256i add_16(__m256i sum, __m256i xs, const uint8_t *weights) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(load_16(weights), xs));
}

static inline BP_AVX2 __m128i add_halves(__m256i sum) {
    return _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

BP_AVX2 void bp_dot_rows_s8_avx2(int32_t *acc, const int8_t *x, const uint8_t *weights,
                                 uint16_t row_stride, uint16_t n_in) {
    size_t stride = row_stride;
    size_t whole = n_in & ~(size_t)15;
    __m256i sum0 = _mm256_setzero_si256();
    __m256i sum1 = sum0;
    __m256i sum2 = sum0;
    __m256i sum3 = sum0;
    for (size_t i = 0; i < whole; i += 16) {
        __m256i xs = load_16(x + i);
        sum0 = add_16(sum0, xs, weights + i);
        sum1 = add_16(sum1, xs, weights + stride + i);
        sum2 = add_16(sum2, xs, weights + 2 * stride + i);
        sum3 = add_16(sum3, xs, weights + 3 * stride + i);
    }
    __m128i sums[4] = {add_halves(sum0), add_halves(sum1), add_halves(sum2), add_halves(sum3)};
    if (whole < n_in) {
        add_last_columns(sums, x + whole, weights + whole, stride, n_in - whole);
    }
    __m128i pairs_01 = _mm_hadd_epi32(sums[0], sums[1]);
    __m128i pairs_23 = _mm_hadd_epi32(sums[2], sums[3]);
    _mm_storeu_si128((__m128i *)(void *)acc, _mm_hadd_epi32(pairs_01, pairs_23));
}
#endif
