/* Packed convolutions for x86-64 with AVX512-VNNI: VPDPBUSD adds 4 products of unsigned by signed
 * bytes to each of 16 sums, exactly (it does not saturate), so images hold x + 128. */
#include "isa/isa.h"

#if BP_ISA_HAS_AVX512VNNI
#include "isa/x86_avx512vnni/vec_avx512.h"

enum { PIXELS = 8 };
#define PIXELS_IN_ROWS 1
typedef vec_t word_t;
typedef __m512i four_taps_t;

PACKED_INLINE vec_t load_weights(const void *p) {
    return _mm512_loadu_si512(p);
}

PACKED_INLINE vec_t broadcast(const uint8_t *p) {
    int32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return _mm512_set1_epi32(word);
}

/* No intrinsic: for that, gcc 12 copies every sum before and after. */
PACKED_INLINE vec_t dot(vec_t sum, vec_t x, vec_t w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}

PACKED_INLINE void put_32(int8_t *y, __m256i bytes, uint32_t n) {
    if (n >= 32) {
        _mm256_storeu_si256((__m256i *)(void *)y, bytes);
    } else {
        _mm256_mask_storeu_epi8(y, (__mmask32)((1u << n) - 1), bytes);
    }
}

PACKED_INLINE void put_16(int8_t *y, __m128i bytes, uint32_t n) {
    if (n >= 16) {
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
    } else {
        _mm_mask_storeu_epi8(y, (__mmask16)((1u << n) - 1), bytes);
    }
}

#include "isa/packed_scaling.h"

PACKED_INLINE void put_results(int8_t *y, size_t step, uint32_t n, uint32_t width, vec_t a, vec_t b,
                               vec_t c, vec_t d, const scaling_t *s, const scaling_t *t) {
    const __m512i bytes = narrowed(scaled(a, s), scaled(b, t), scaled(c, s), scaled(d, t), s->range);
    if (s != t) {
        put_32(y, _mm512_castsi512_si256(bytes), width);
        if (n > 1) {
            put_32(y + step, _mm512_extracti64x4_epi64(bytes, 1), width);
        }
        return;
    }
    put_16(y, _mm512_castsi512_si128(bytes), width);
    if (n > 1) {
        put_16(y + step, _mm512_extracti32x4_epi32(bytes, 1), width);
    }
    if (n > 2) {
        put_16(y + 2 * step, _mm512_extracti32x4_epi32(bytes, 2), width);
    }
    if (n > 3) {
        put_16(y + 3 * step, _mm512_extracti32x4_epi32(bytes, 3), width);
    }
}

/* ---- depthwise ---- */

PACKED_INLINE vec_t bytes_at(const uint8_t *x) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
}

PACKED_INLINE four_taps_t load_quad(const uint8_t *x, size_t tap, int n) {
    four_taps_t quad = bytes_at(x);
    if (n > 1) {
        quad = _mm512_or_si512(quad, _mm512_slli_epi32(bytes_at(x + tap), 8));
    }
    if (n > 2) {
        quad = _mm512_or_si512(quad, _mm512_slli_epi32(bytes_at(x + 2 * tap), 16));
    }
    if (n > 3) {
        quad = _mm512_or_si512(quad, _mm512_slli_epi32(bytes_at(x + 3 * tap), 24));
    }
    return quad;
}

PACKED_INLINE vec_t dot_quad(vec_t sum, four_taps_t quad, const uint8_t *w) {
    return dot(sum, quad, load_weights(w));
}

PACKED_INLINE void put_outputs(int8_t *y, vec_t sum, const scaling_t *s, uint32_t n) {
    const __m128i bytes = _mm512_cvtsepi32_epi8(scaled(sum, s));
    const __m128i low = _mm512_castsi512_si128(s->range.y_min);
    const __m128i high = _mm512_castsi512_si128(s->range.y_max);
    put_16(y, _mm_min_epi8(_mm_max_epi8(bytes, low), high), n);
}

#include "isa/packed_conv.h"
#include "isa/packed_depthwise.h"

static PACKED_TARGET void depthwise(int8_t *y, const uint8_t *image,
                                    const bp_packed_depthwise_t *p) {
    packed_depthwise(y, image, p);
}

static PACKED_TARGET void widen(uint8_t *to, const int8_t *x, uint32_t n) {
    const __m512i top = _mm512_set1_epi8((char)0x80);
    for (; n >= 64; n -= 64, x += 64, to += 64) {
        _mm512_storeu_si512(to, _mm512_xor_si512(_mm512_loadu_si512(x), top));
    }
    if (n != 0) {
        const __mmask64 mask = ((__mmask64)1 << n) - 1;
        _mm512_mask_storeu_epi8(to, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, x), top));
    }
}

const bp_packed_isa_t bp_packed_avx512vnni = {
    .lanes = LANES,
    .conv_bytes = 1,
    .is_unsigned = 1,
    .sum_offset = SUM_OFFSET,
    .conv_widen = widen,
    .conv = packed_conv,
    .depthwise_widen = widen,
    .depthwise = depthwise,
};
#endif
