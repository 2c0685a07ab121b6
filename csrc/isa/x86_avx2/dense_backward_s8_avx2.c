/* bp_dense_backward_s8 for x86-64 with AVX2: 16 columns at a time over all rows. Errors may be
 * +32768, one too many for 16-bit products, so the products have 32 bits. */
#include "isa/isa.h"

#if BP_ISA_X86_64
#include <immintrin.h>
#include <stddef.h>

#define BP_AVX2 __attribute__((target("avx2")))

static inline BP_AVX2 __m256i add_8(__m256i sum, const int8_t *weights, __m256i delta) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)weights);
    return _mm256_add_epi32(sum, _mm256_mullo_epi32(_mm256_cvtepi8_epi32(bytes), delta));
}

BP_AVX2 void bp_dense_backward_s8_avx2(int32_t *dx, const int32_t *delta, const int8_t *weights,
                                       uint16_t row_stride, uint16_t n_in, uint16_t n_out) {
    size_t i = 0;
    for (; i + 16 <= n_in; i += 16) {
        __m256i sum0 = _mm256_setzero_si256();
        __m256i sum1 = sum0;
        const int8_t *column = weights + i;
        for (size_t j = 0; j < n_out; ++j, column += row_stride) {
            __m256i d = _mm256_set1_epi32(delta[j]);
            sum0 = add_8(sum0, column, d);
            sum1 = add_8(sum1, column + 8, d);
        }
        _mm256_storeu_si256((__m256i *)(void *)(dx + i), sum0);
        _mm256_storeu_si256((__m256i *)(void *)(dx + i + 8), sum1);
    }
    if (i < n_in) {
        bp_dense_backward_s8(dx + i, delta, weights + i, row_stride, (uint16_t)(n_in - i), n_out);
    }
}
#endif
