/* Results of packed convolutions in vectors of 8 int32. */
#ifndef BYTEPROP_ISA_PUT_AVX2_H
#define BYTEPROP_ISA_PUT_AVX2_H

PACKED_INLINE void put_16(int8_t *y, __m128i bytes, uint32_t n) {
    if (n >= 16) {
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
    } else {
        int8_t all[16];
        _mm_storeu_si128((__m128i *)(void *)all, bytes);
        __builtin_memcpy(y, all, n);
    }
}

PACKED_INLINE void put_8(int8_t *y, __m128i bytes, uint32_t n) {
    if (n >= 8) {
        _mm_storel_epi64((__m128i *)(void *)y, bytes);
    } else {
        put_16(y, bytes, n);
    }
}

PACKED_INLINE void put_results(int8_t *y, size_t step, uint32_t n, uint32_t width, vec_t a, vec_t b,
                               vec_t c, vec_t d, const scaling_t *s, const scaling_t *t) {
    const __m256i bytes =
        narrowed(scaled(a, s), scaled(b, t), scaled(c, s), scaled(d, t), s->range);
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    if (s != t) {
        put_16(y, low, width);
        if (n > 1) {
            put_16(y + step, high, width);
        }
        return;
    }
    put_8(y, low, width);
    if (n > 1) {
        put_8(y + step, _mm_unpackhi_epi64(low, low), width);
    }
    if (n > 2) {
        put_8(y + 2 * step, high, width);
    }
    if (n > 3) {
        put_8(y + 3 * step, _mm_unpackhi_epi64(high, high), width);
    }
}

PACKED_INLINE void put_outputs(int8_t *y, vec_t sum, const scaling_t *s, uint32_t n) {
    const vec_t result = scaled(sum, s);
    const __m256i bytes = narrowed(result, result, result, result, s->range);
    put_8(y, _mm256_castsi256_si128(bytes), n);
}

#endif
