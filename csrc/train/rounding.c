#include <byteprop/train.h>

#include "train/kernels/kernels.h"

/* The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
static uint32_t avalanche(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    return h ^ h >> 16;
}

static uint32_t mix(uint32_t h, uint32_t value) {
    return avalanche(h ^ (value * 0x85EBCA77u + 0x9E3779B1u));
}

uint32_t bp_train_draw(uint32_t seed, uint32_t step, uint32_t layer, uint32_t row) {
    return mix(mix(mix(seed, step), layer), row);
}

bp_rounding_t bp_rounding_of(uint32_t seed, uint32_t step, uint32_t layer, uint32_t row,
                             uint8_t nearest) {
    /* A Weyl sequence over the weights of the row: skipping one skips nothing. */
    bp_rounding_t rounding = {0x80000000u, 0};
    if (!nearest) {
        rounding.state = bp_train_draw(seed, step, layer, row);
        rounding.increment = 0x9E3779B9u;
    }
    return rounding;
}
