#include "train/kernels.h"

static int32_t bounded(int64_t g) {
    return g > BP_GRADIENT_LIMIT ? BP_GRADIENT_LIMIT
                                 : (g < -BP_GRADIENT_LIMIT ? -BP_GRADIENT_LIMIT : (int32_t)g);
}

int32_t bp_gradient_add(int32_t g, int32_t change) {
    return bounded((int64_t)g + change);
}

int32_t bp_gradient_decay(int32_t g, uint8_t shift) {
    int64_t half = (int64_t)1 << (shift - 1);
    return bounded(g - ((g + half) >> shift));
}

void bp_accumulate_row(int32_t *g, const int8_t *x, int16_t x_zp, uint16_t n, int32_t c) {
    for (uint16_t i = 0; i < n; ++i) {
        g[i] = bp_gradient_add(g[i], c * ((int32_t)x[i] - x_zp));
    }
}
