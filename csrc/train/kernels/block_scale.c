#include "train/kernels/kernels.h"

static uint32_t magnitude(int32_t x) {
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

uint8_t bp_block_scale(int32_t *delta, uint32_t n) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < n; ++i) {
        uint32_t m = magnitude(delta[i]);
        largest = m > largest ? m : largest;
    }
    uint8_t rshift = 0;
    while (largest >> rshift > INT16_MAX) {
        ++rshift;
    }
    if (rshift != 0) {
        int32_t half = (int32_t)1 << (rshift - 1);
        for (uint32_t i = 0; i < n; ++i) {
            /* (d + half) >> rshift without overflow: the bit below the result's lowest rounds. */
            int32_t d = (delta[i] >> rshift) + ((delta[i] & half) != 0);
            delta[i] = d > INT16_MAX ? INT16_MAX : (d < -INT16_MAX ? -INT16_MAX : d);
        }
    }
    return rshift;
}
