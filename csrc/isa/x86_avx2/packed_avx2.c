/* Packed convolutions for x86-64 with AVX2: VPMADDWD adds 2 products of int16 to each of 8 sums.
 * (VPMADDUBSW would take bytes, but saturates.) */
#include "isa/isa.h"

#if BP_ISA_X86_64
#define PACKED_TARGET __attribute__((target("avx2")))
#include "isa/x86_avx2/vec_avx2.h"

enum { PIXELS = 4 };
#define PIXELS_IN_ROWS 0
typedef vec_t word_t;
/* Pairs of taps, as int16: the first two, and the other two. */
typedef struct {
    __m256i first, second;
} four_taps_t;

PACKED_INLINE vec_t load_weights(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

PACKED_INLINE vec_t broadcast(const uint8_t *p) {
    int32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
}

PACKED_INLINE vec_t dot(vec_t sum, vec_t x, vec_t w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

#include "isa/packed_scaling.h"
#include "isa/x86_avx2/put_avx2.h"

PACKED_INLINE __m256i pairs(__m128i a, __m128i b) {
    return _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
}

PACKED_INLINE four_taps_t load_quad(const uint8_t *x, size_t tap, int n) {
    const __m128i none = _mm_setzero_si128();
    return (four_taps_t){
        pairs(load_8(x), n > 1 ? load_8(x + tap) : none),
        n < 3 ? _mm256_setzero_si256()
              : pairs(load_8(x + 2 * tap), n > 3 ? load_8(x + 3 * tap) : none),
    };
}

/* Weights of a lane are 4 bytes: two pairs. */
PACKED_INLINE vec_t dot_quad(vec_t sum, four_taps_t quad, const uint8_t *w) {
    const __m256i weights = load_weights(w);
    const __m256i low = _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8);
    const __m256i high = _mm256_srai_epi16(weights, 8);
    /* low has taps 0 and 2 of each lane, high has taps 1 and 3. */
    const __m256i first = _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xAA);
    const __m256i second = _mm256_blend_epi16(_mm256_srli_epi32(low, 16), high, 0xAA);
    return dot(dot(sum, quad.first, first), quad.second, second);
}

#include "isa/packed_conv.h"
#include "isa/packed_depthwise.h"

static PACKED_TARGET void widen(uint8_t *to, const int8_t *x, uint32_t n) {
    int16_t *elements = (int16_t *)(void *)to;
    for (; n >= 16; n -= 16, x += 16, elements += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)x);
        _mm256_storeu_si256((__m256i *)(void *)elements, _mm256_cvtepi8_epi16(bytes));
    }
    for (uint32_t i = 0; i < n; ++i) {
        elements[i] = x[i];
    }
}

static PACKED_TARGET void copy(uint8_t *to, const int8_t *x, uint32_t n) {
    __builtin_memcpy(to, x, n);
}

const bp_packed_isa_t bp_packed_avx2 = {
    .lanes = LANES,
    .conv_bytes = 2,
    .sum_offset = SUM_OFFSET,
    .conv_widen = widen,
    .conv = packed_conv,
    .depthwise_widen = copy,
    .depthwise = packed_depthwise,
};
#endif
