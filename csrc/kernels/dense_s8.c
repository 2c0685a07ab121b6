#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { BLOCK_ROWS = 4 };

void bp_finish_rows_s8(int8_t *y, const int32_t *acc, const bp_dense_s8_t *p, uint16_t first,
                       uint8_t n) {
    const uint8_t *bias = p->bias + (size_t)4 * first;
    const uint8_t *mult_q31 = p->mult_q31;
    const uint8_t *lshift = p->lshift;
    uint8_t step = 0;
    if (p->per_channel) {
        mult_q31 += (size_t)4 * first;
        lshift += first;
        step = 1;
    }
    for (const int32_t *end = acc + n; acc != end; ++acc) {
        int32_t sum = bp_add_wrap(BP_ROM_I32(bias), *acc);
        int32_t scaled = bp_requant(sum, BP_ROM_I32(mult_q31), BP_ROM_I8(lshift));
        *y++ = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
        bias += 4;
        mult_q31 += 4 * step;
        lshift += step;
    }
}

void bp_dense_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p) {
    BP_ISA_BEGIN
    int32_t acc[BLOCK_ROWS];
    uint8_t n = (uint8_t)(p->n_out < BLOCK_ROWS ? p->n_out : BLOCK_ROWS);
    for (uint16_t j = 0; j < p->n_out; j = (uint16_t)(j + n)) {
        if (p->n_out - j < n) {
            if (BP_ISA_ROWS_ARE_SINGLE) {
                n = (uint8_t)(p->n_out - j);
            } else { /* the last block overlaps the one before: 4 rows cost little more than 2 */
                j = (uint16_t)(p->n_out - n);
            }
        }
        const uint8_t *row = p->weights + (size_t)j * p->row_stride;
        if (n == BLOCK_ROWS) {
            BP_ISA_DOT_ROWS(acc, x, row, p->row_stride, p->n_in);
        } else {
            for (uint8_t r = 0; r < n; ++r, row += p->row_stride) {
                acc[r] = BP_ISA_DOT_ROW(x, row, p->n_in);
            }
        }
        BP_ISA_FINISH_ROWS(y + j, acc, p, j, n);
    }
}
