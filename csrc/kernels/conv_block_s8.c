#include "isa/isa.h"
#include <byteprop/config.h>

/* The definition of a convolution's block. Columns: int8, pixel after pixel. */

void bp_conv_columns_s8(int8_t *columns, uint32_t at, const int8_t *const *x,
                        const bp_runs_t *runs) {
    for (uint8_t i = 0; i < BP_CONV_PLAIN_PIXELS; ++i, columns += runs->row_stride) {
        int8_t *to = columns + (size_t)at;
        for (uint32_t run = 0; run < runs->count; ++run) {
            const int8_t *from = x[i] + (size_t)(run * runs->pitch);
            for (uint32_t k = 0; k < runs->n; ++k) {
                *to++ = from[k];
            }
        }
    }
}

/* One output from the sum of its products. */
static int8_t output(int32_t sum, const bp_dense_s8_t *p, uint16_t j) {
    const uint8_t rshift = (uint8_t)-BP_ROM_I8(p->lshift + j);
    sum = bp_requant_short(sum + BP_ROM_I32(p->bias + (size_t)4 * j),
                           BP_ROM_I32(p->mult_q31 + (size_t)4 * j),
                           bp_short_rounding(p->y_zp, rshift), rshift);
    return (int8_t)bp_clamp(sum, -128, 127);
}

void bp_conv_block_s8(int8_t *y, int32_t y_step, const int8_t *columns, const bp_dense_s8_t *p) {
    for (uint8_t i = 0; i < BP_CONV_PLAIN_PIXELS; ++i, y += y_step, columns += p->row_stride) {
        const uint8_t *row = p->weights;
        for (uint16_t j = 0; j < p->n_out; ++j, row += p->row_stride) {
            y[j] = output(bp_dot_row_s8(columns, row, p->n_in), p, j);
        }
    }
}
