/* bp_patch_sums_s8 for x86-64 with AVX2: 16 channels in two vectors of sums. */
#include "isa/isa.h"

#if BP_ISA_X86_64
#include <immintrin.h>
#include <stddef.h>

#define BP_AVX2 __attribute__((target("avx2")))

static inline BP_AVX2 __m256i add_8(__m256i sums, __m128i bytes) {
    return _mm256_add_epi32(sums, _mm256_cvtepi8_epi32(bytes));
}

BP_AVX2 void bp_patch_sums_s8_avx2(int32_t *sums, const int8_t *x, const bp_patch_t *patch,
                                   uint8_t n) {
    if (n != BP_PATCH_CHANNELS) {
        bp_patch_sums_s8(sums, x, patch, n);
        return;
    }
    __m256i low = _mm256_setzero_si256(), high = low;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_step) {
        const int8_t *pixel = x;
        for (uint32_t u = 0; u < patch->width; ++u, pixel += (size_t)patch->step) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)pixel);
            low = add_8(low, bytes);
            high = add_8(high, _mm_unpackhi_epi64(bytes, bytes));
        }
    }
    _mm256_storeu_si256((__m256i *)(void *)sums, low);
    _mm256_storeu_si256((__m256i *)(void *)(sums + 8), high);
}
#endif
