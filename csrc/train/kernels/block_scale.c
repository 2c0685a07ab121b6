#include "train/kernels/kernels.h"

static uint32_t magnitude(int32_t x) {
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

/* By how many bits sums are shifted: their largest, or all bits of any, says the same. */
static uint8_t shift_of(const int32_t *sums, uint32_t n) {
    uint32_t bits = 0;
    for (const int32_t *end = sums + n; sums != end; ++sums) {
        bits |= magnitude(*sums);
    }
    uint8_t rshift = 0;
    while (bits >> rshift > INT16_MAX) {
        ++rshift;
    }
    return rshift;
}

/* (x + half) >> rshift without overflow: the bit below the result's lowest rounds. */
static inline int32_t shifted(int32_t x, uint8_t rshift, int32_t half) {
    const int32_t d = (x >> rshift) + ((x & half) != 0);
    return d > INT16_MAX ? INT16_MAX : (d < -INT16_MAX ? -INT16_MAX : d);
}

static inline int32_t half_of(uint8_t rshift) {
    return rshift == 0 ? 0 : (int32_t)1 << (rshift - 1);
}

uint8_t bp_block_scale(int32_t *delta, uint32_t n) {
    const uint8_t rshift = shift_of(delta, n);
    const int32_t half = half_of(rshift);
    for (uint32_t i = 0; rshift != 0 && i < n; ++i) {
        delta[i] = shifted(delta[i], rshift, half);
    }
    return rshift;
}

/* Errors may be where the sums are, so as values of another type: else gcc might read a sum too late. */
#ifdef __GNUC__
static inline void put(int16_t *error, int32_t value) {
    typedef int16_t __attribute__((may_alias)) any_t;
    *(any_t *)error = (int16_t)value;
}
#else
static inline void put(int16_t *error, int32_t value) {
    uint8_t *bytes = (uint8_t *)error;
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)((uint32_t)value >> 8);
}
#endif

uint8_t bp_block_narrow(int16_t *errors, const int32_t *sums, uint32_t n) {
    const uint8_t rshift = shift_of(sums, n);
    const int32_t half = half_of(rshift);
    for (const int32_t *end = sums + n; sums != end; ++sums, ++errors) {
        int32_t value = *sums;
        if (value != 0) {
            value = shifted(value, rshift, half); /* by 0: itself */
        }
        put(errors, value);
    }
    return rshift;
}
