/* Packed convolutions for x86-64 with AVX-VNNI, in vectors of 256 bits: as with AVX512-VNNI, images
 * hold x + 128. */
#include "isa/isa.h"

#if BP_ISA_HAS_AVXVNNI
#define PACKED_TARGET __attribute__((target("avx2,avxvnni")))
#include "isa/x86_avx2/vec_avx2.h"

enum { PIXELS = 4 };
#define PIXELS_IN_ROWS 0
typedef vec_t word_t;
typedef __m256i four_taps_t;

PACKED_INLINE vec_t load_weights(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

PACKED_INLINE vec_t broadcast(const uint8_t *p) {
    int32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
}

/* No intrinsic: for that, gcc 12 copies every sum before and after. */
PACKED_INLINE vec_t dot(vec_t sum, vec_t x, vec_t w) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
    return sum;
}

#include "isa/packed_scaling.h"
#include "isa/x86_avx2/put_avx2.h"

PACKED_INLINE vec_t bytes_at(const uint8_t *x) {
    return _mm256_cvtepu8_epi32(load_8(x));
}

PACKED_INLINE four_taps_t load_quad(const uint8_t *x, size_t tap, int n) {
    four_taps_t quad = bytes_at(x);
    if (n > 1) {
        quad = _mm256_or_si256(quad, _mm256_slli_epi32(bytes_at(x + tap), 8));
    }
    if (n > 2) {
        quad = _mm256_or_si256(quad, _mm256_slli_epi32(bytes_at(x + 2 * tap), 16));
    }
    if (n > 3) {
        quad = _mm256_or_si256(quad, _mm256_slli_epi32(bytes_at(x + 3 * tap), 24));
    }
    return quad;
}

PACKED_INLINE vec_t dot_quad(vec_t sum, four_taps_t quad, const uint8_t *w) {
    return dot(sum, quad, load_weights(w));
}

#include "isa/packed_conv.h"
#include "isa/packed_depthwise.h"

static PACKED_TARGET void widen(uint8_t *to, const int8_t *x, uint32_t n) {
    const __m256i top = _mm256_set1_epi8((char)0x80);
    for (; n >= 32; n -= 32, x += 32, to += 32) {
        const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)x);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_xor_si256(bytes, top));
    }
    for (uint32_t i = 0; i < n; ++i) {
        to[i] = (uint8_t)(x[i] ^ 0x80);
    }
}

const bp_packed_isa_t bp_packed_avxvnni = {
    .lanes = LANES,
    .conv_bytes = 1,
    .is_unsigned = 1,
    .sum_offset = SUM_OFFSET,
    .conv_widen = widen,
    .conv = packed_conv,
    .depthwise_widen = widen,
    .depthwise = packed_depthwise,
};
#endif
