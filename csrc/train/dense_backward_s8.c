#include <stddef.h>

#include "train/kernels.h"

void bp_dense_backward_s8(int32_t *dx, const int32_t *delta, const int8_t *weights,
                          uint16_t row_stride, uint16_t n_in, uint16_t n_out) {
    for (uint16_t i = 0; i < n_in; ++i) {
        dx[i] = 0;
    }
    for (uint16_t j = 0; j < n_out; ++j, weights += row_stride) {
        int32_t d = delta[j];
        if (d == 0) {
            continue;
        }
        for (uint16_t i = 0; i < n_in; ++i) {
            dx[i] += d * weights[i];
        }
    }
}
