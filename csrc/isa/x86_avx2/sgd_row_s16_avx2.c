/* bp_sgd_row_s16 for x86-64 with AVX2: 32 weights per iteration in 16-bit lanes,
 * exact.
 *
 * With c = 2^16 * c_high + c_low, c_low signed, the change (c * u + r) >> 16 is c_high * u + the
 * upper half of c_low * u + the carry of its lower half plus r. The master is kept as V = W + 128,
 * whose bytes are Wh and Wl + 128. An iteration in which a weight would leave its bounds is
 * done by the portable code, which counts. One of zeros is skipped; the last weights of a row are
 * padded with zeros to a whole one. */
#include "isa/isa.h"

#if BP_ISA_X86_64
#include <immintrin.h>
#include <stddef.h>

#define BP_AVX2 __attribute__((target("avx2")))

enum { TURN = 32, MASTER_OFFSET = 128 };

/* What does not change within a row. */
typedef struct {
    __m256i x_zp, zeros, c_low, c_high, v_min, sign_bits, increment;
} row_t;

/* States of the roundings of 16 weights, those with even and with odd indices; top bits flipped, so
 * that unsigned comparison becomes signed. */
typedef struct {
    __m256i even, odd;
} states_t;

static inline BP_AVX2 states_t first_states(bp_rounding_t rounding, uint32_t first) {
    /* Unpacking bytes leaves weights 0 .. 7 and 16 .. 23 together, then 8 .. 15 and 24 .. 31. */
    const __m256i places = _mm256_setr_epi32(0, 2, 4, 6, 16, 18, 20, 22);
    __m256i increment = _mm256_set1_epi32((int32_t)rounding.increment);
    uint32_t start = (rounding.state + first * rounding.increment) ^ 0x80000000u;
    states_t states;
    states.even =
        _mm256_add_epi32(_mm256_set1_epi32((int32_t)start), _mm256_mullo_epi32(places, increment));
    states.odd = _mm256_add_epi32(states.even, increment);
    return states;
}

/* r ^ 0x8000 of 16 weights; advances by one iteration. */
static inline BP_AVX2 __m256i next_rounding(states_t *states, __m256i turn) {
    __m256i r = _mm256_blend_epi16(_mm256_srli_epi32(states->even, 16), states->odd, 0xAA);
    states->even = _mm256_add_epi32(states->even, turn);
    states->odd = _mm256_add_epi32(states->odd, turn);
    return r;
}

/* New V of 16 weights; *good: all bits set in lanes that stayed within their bounds. */
static inline BP_AVX2 __m256i step_16(__m256i v, __m256i u, __m256i r, const row_t *row,
                                      __m256i *good) {
    __m256i lower = _mm256_mullo_epi16(u, row->c_low);
    __m256i upper = _mm256_mulhi_epi16(u, row->c_low);
    __m256i carry = _mm256_cmpgt_epi16(r, _mm256_add_epi16(lower, r)); /* -1 where there is one */
    __m256i change = _mm256_add_epi16(upper, _mm256_mullo_epi16(u, row->c_high));
    change = _mm256_sub_epi16(change, carry);
    __m256i bounded = _mm256_max_epi16(_mm256_subs_epi16(v, change), row->v_min);
    *good = _mm256_and_si256(*good, _mm256_cmpeq_epi16(bounded, _mm256_sub_epi16(v, change)));
    return bounded;
}

static inline BP_AVX2 __m256i sum_of_bytes(__m256i bytes, __m256i sign_bits) {
    return _mm256_sad_epu8(_mm256_xor_si256(bytes, sign_bits), _mm256_setzero_si256());
}

/* One iteration; returns 0 when nothing was done because a weight would leave its bounds. */
static inline BP_AVX2 int turn(int8_t *wh, int8_t *wl, const int8_t *x, __m256i r0, __m256i r1,
                               const row_t *row, __m256i *sum) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low_bytes = _mm256_set1_epi16(0xFF);
    __m256i good = _mm256_set1_epi8(-1);
    __m256i xs = _mm256_loadu_si256((const __m256i *)(const void *)x);
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(xs, row->zeros)) == -1) {
        return 1;
    }
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)wh);
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)wl);
    xs = _mm256_xor_si256(xs, row->sign_bits);
    low = _mm256_xor_si256(low, row->sign_bits);
    __m256i v0 =
        step_16(_mm256_unpacklo_epi8(low, high),
                _mm256_sub_epi16(_mm256_unpacklo_epi8(xs, zero), row->x_zp), r0, row, &good);
    __m256i v1 =
        step_16(_mm256_unpackhi_epi8(low, high),
                _mm256_sub_epi16(_mm256_unpackhi_epi8(xs, zero), row->x_zp), r1, row, &good);
    if (_mm256_movemask_epi8(good) != -1) {
        return 0;
    }
    __m256i new_high = _mm256_packus_epi16(_mm256_srli_epi16(v0, 8), _mm256_srli_epi16(v1, 8));
    __m256i new_low =
        _mm256_packus_epi16(_mm256_and_si256(v0, low_bytes), _mm256_and_si256(v1, low_bytes));
    _mm256_storeu_si256((__m256i *)(void *)wh, new_high);
    _mm256_storeu_si256((__m256i *)(void *)wl, _mm256_xor_si256(new_low, row->sign_bits));
    *sum = _mm256_add_epi64(*sum, sum_of_bytes(new_high, row->sign_bits));
    *sum = _mm256_sub_epi64(*sum, sum_of_bytes(high, row->sign_bits));
    return 1;
}

static inline BP_AVX2 int32_t sum_of_lanes(__m256i sum) {
    __m128i halves = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return _mm_cvtsi128_si32(_mm_add_epi64(halves, _mm_unpackhi_epi64(halves, halves)));
}

static void finish(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, size_t i, size_t n,
                   int32_t c, bp_rounding_t rounding, bp_row_change_t *change) {
    rounding.state += (uint32_t)i * rounding.increment;
    bp_sgd_part(wh + i, wl + i, x + i, x_zp, (uint16_t)n, c, rounding, change);
}

/* An iteration of n < TURN weights; returns the same. */
static inline BP_AVX2 int short_turn(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                     size_t n, __m256i r0, __m256i r1, const row_t *row,
                                     __m256i *sum) {
    int8_t high[TURN] = {0}, low[TURN] = {0}, xs[TURN];
    __builtin_memset(xs, x_zp, TURN);
    __builtin_memcpy(xs, x, n);
    __builtin_memcpy(high, wh, n);
    __builtin_memcpy(low, wl, n);
    if (!turn(high, low, xs, r0, r1, row, sum)) {
        return 0;
    }
    __builtin_memcpy(wh, high, n);
    __builtin_memcpy(wl, low, n);
    return 1;
}

BP_AVX2 bp_row_change_t bp_sgd_row_s16_avx2(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                            uint16_t n, int32_t c, bp_rounding_t rounding) {
    int32_t c_high = (c + 0x8000) >> 16;
    const row_t row = {
        .x_zp = _mm256_set1_epi16((int16_t)(x_zp + 128)),
        .zeros = _mm256_set1_epi8((int8_t)x_zp),
        .c_low = _mm256_set1_epi16((int16_t)(c - c_high * 0x10000)),
        .c_high = _mm256_set1_epi16((int16_t)c_high),
        .v_min = _mm256_set1_epi16(BP_MASTER_MIN + MASTER_OFFSET),
        .sign_bits = _mm256_set1_epi8(-128),
        .increment = _mm256_set1_epi32((int32_t)(TURN * rounding.increment)),
    };
    bp_row_change_t change = {0, 0};
    states_t states0 = first_states(rounding, 0);
    states_t states1 = first_states(rounding, 8);
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + TURN <= n; i += TURN) {
        __m256i r0 = next_rounding(&states0, row.increment);
        __m256i r1 = next_rounding(&states1, row.increment);
        if (!turn(wh + i, wl + i, x + i, r0, r1, &row, &sum)) {
            finish(wh, wl, x, x_zp, i, TURN, c, rounding, &change);
        }
    }
    if (i < n) {
        __m256i r0 = next_rounding(&states0, row.increment);
        __m256i r1 = next_rounding(&states1, row.increment);
        if (!short_turn(wh + i, wl + i, x + i, x_zp, n - i, r0, r1, &row, &sum)) {
            finish(wh, wl, x, x_zp, i, n - i, c, rounding, &change);
        }
    }
    change.weight_sum_change += sum_of_lanes(sum);
    return change;
}
#endif
