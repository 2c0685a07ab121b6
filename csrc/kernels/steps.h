/* Sums and maxima of the values of a channel, which are the same number of bytes apart. */
#ifndef BYTEPROP_KERNELS_STEPS_H
#define BYTEPROP_KERNELS_STEPS_H

#include "isa/primitives.h"
#include <stddef.h>
#include <stdint.h>

/* A patch whose rows follow each other like its columns is one row. */
static inline bp_patch_t bp_as_one_row(bp_patch_t patch) {
    if (patch.row_step == patch.width * patch.step) {
        patch.width *= patch.height;
        patch.height = 1;
    }
    return patch;
}

/* Of n values; at most 2^24 of them, so that 32 bits hold their sum. */
static inline int32_t bp_sum_of_steps(const int8_t *x, size_t step, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 2; n -= 2, x += 2 * step) {
        sum += x[0];
        sum += x[step];
    }
    return n == 0 ? sum : sum + *x;
}

/* The greatest value of a patch. */
static inline int8_t bp_max_of_patch(const int8_t *x, const bp_patch_t *patch) {
    int8_t max = INT8_MIN;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_step) {
        const int8_t *at = x;
        for (uint32_t left = patch->width; left != 0; --left, at += (size_t)patch->step) {
            max = *at > max ? *at : max;
        }
    }
    return max;
}

#endif
