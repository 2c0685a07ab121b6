#include <stddef.h>

#include "isa/primitives.h"

enum { BLOCK_COLUMNS = 4 };

/* 4 columns, as many as rows are filled up to. */
static void sum_block(int32_t sums[BLOCK_COLUMNS], const int32_t *delta, const int8_t *weights,
                      uint16_t row_stride, uint16_t n_out) {
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (const int32_t *end = delta + (size_t)n_out; delta != end; weights += row_stride) {
        int32_t d = *delta++;
        if (d != 0) {
            sum0 += d * weights[0];
            sum1 += d * weights[1];
            sum2 += d * weights[2];
            sum3 += d * weights[3];
        }
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

void bp_dense_backward_s8(int32_t *dx, const int32_t *delta, const int8_t *weights,
                          uint16_t row_stride, uint16_t n_in, uint16_t n_out) {
    int32_t sums[BLOCK_COLUMNS];
    for (uint16_t left = n_in; left != 0; weights += BLOCK_COLUMNS, dx += BLOCK_COLUMNS) {
        const uint8_t n = (uint8_t)(left < BLOCK_COLUMNS ? left : BLOCK_COLUMNS);
        sum_block(sums, delta, weights, row_stride, n_out);
        for (uint8_t i = 0; i < n; ++i) {
            dx[i] = sums[i];
        }
        left = (uint16_t)(left - n);
    }
}
