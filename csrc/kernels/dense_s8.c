#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include "isa/isa.h"

enum { BLOCK_ROWS = 4 };

/* Rows first .. first + n - 1 from their sums of products. */
static void finish_rows(int8_t *y, const int32_t *acc, const bp_dense_s8_t *p, uint16_t first,
                        uint8_t n) {
    for (uint8_t r = 0; r < n; ++r) {
        uint16_t j = (uint16_t)(first + r);
        size_t channel = p->per_channel ? j : 0;
        int32_t sum = bp_add_wrap(BP_ROM_I32(p->bias + (size_t)4 * j), acc[r]);
        int32_t scaled = bp_requant(sum, BP_ROM_I32(p->mult_q31 + 4 * channel),
                                    BP_ROM_I8(p->lshift + channel));
        y[j] = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
    }
}

void bp_dense_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p) {
    BP_ISA_BEGIN
    const uint8_t *row = p->weights;
    int32_t acc[BLOCK_ROWS];
    uint16_t j = 0;
    for (; p->n_out - j >= BLOCK_ROWS; j = (uint16_t)(j + BLOCK_ROWS)) {
        BP_ISA_DOT_ROWS(acc, x, row, p->row_stride, p->n_in);
        finish_rows(y, acc, p, j, BLOCK_ROWS);
        row += (size_t)BLOCK_ROWS * p->row_stride;
    }
    for (; j < p->n_out; ++j) {
        acc[0] = BP_ISA_DOT_ROW(x, row, p->n_in);
        finish_rows(y, acc, p, j, 1);
        row += p->row_stride;
    }
}
