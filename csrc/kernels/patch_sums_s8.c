#include "isa/primitives.h"
#include <stddef.h>

#include "kernels/steps.h"

static int32_t sum_of(const int8_t *x, const bp_patch_t *patch) {
    int32_t sum = 0;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_step) {
        sum += bp_sum_of_steps(x, (size_t)patch->step, patch->width);
    }
    return sum;
}

void bp_patch_sums_s8(int32_t *sums, const int8_t *x, const bp_patch_t *patch, uint8_t n) {
    const bp_patch_t rows = bp_as_one_row(*patch);
    for (uint8_t c = 0; c < n; ++c) {
        sums[c] = sum_of(x + c, &rows);
    }
}
