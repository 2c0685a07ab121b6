#include <byteprop/config.h>
#include <byteprop/fixed.h>

#include "isa/isa.h"
#include "train/kernels/kernels.h"

enum { BLOCK_ROWS = 4 };

void bp_dense_acc_s8(int32_t *acc, const int8_t *x, const uint8_t *weights, const uint8_t *bias,
                     uint16_t row_stride, uint16_t n_in, uint16_t n_out) {
    BP_ISA_BEGIN
    uint16_t j = 0;
    for (; n_out - j >= BLOCK_ROWS; j = (uint16_t)(j + BLOCK_ROWS)) {
        BP_ISA_DOT_ROWS(acc + j, x, weights + (size_t)j * row_stride, row_stride, n_in);
    }
    for (; j < n_out; ++j) {
        acc[j] = BP_ISA_DOT_ROW(x, weights + (size_t)j * row_stride, n_in);
    }
    for (j = 0; j < n_out; ++j) {
        acc[j] = bp_add_wrap(acc[j], BP_ROM_I32(bias + (size_t)4 * j));
    }
}
