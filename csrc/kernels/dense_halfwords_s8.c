#include "isa/isa.h"
#include <byteprop/config.h>

/* What is on the stack: columns, 2 bytes each, a multiple of 4, and sums. If all columns fit, they
 * are widened once. */
enum { COLUMNS = 160, ROWS = 32 };

static uint16_t lesser(uint32_t a, uint32_t b) {
    return (uint16_t)(a < b ? a : b);
}

void bp_dense_halfwords_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p) {
    uint32_t columns[COLUMNS / 2];
    int32_t acc[ROWS];
    bp_halfwords_t h = {.row_stride = p->row_stride};
    for (uint32_t j = 0; j < p->n_out; j += ROWS) {
        h.n_rows = lesser(p->n_out - j, ROWS);
        for (uint16_t r = 0; r < h.n_rows; r = (uint16_t)(r + 4)) { /* ROWS is a multiple of 4 */
            acc[r] = acc[r + 1] = acc[r + 2] = acc[r + 3] = 0;
        }
        for (uint32_t begin = 0; begin < p->n_in; begin += COLUMNS) {
            h.begin = (uint16_t)begin;
            h.n = lesser(p->n_in - begin, COLUMNS);
            if (j == 0 || p->n_in > COLUMNS) {
                BP_ISA_HALFWORD_COLUMNS(columns, x + (size_t)begin, h.n);
            }
            BP_ISA_HALFWORD_ROWS(acc, columns, p->weights + (size_t)(j * p->row_stride), &h);
        }
        for (uint16_t r = 0; r < h.n_rows; r = (uint16_t)(r + 4)) { /* from 256 times the sum */
            acc[r] >>= 8;
            acc[r + 1] >>= 8;
            acc[r + 2] >>= 8;
            acc[r + 3] >>= 8;
        }
        BP_ISA_FINISH_ROWS(y + (size_t)j, acc, p, (uint16_t)j, (uint8_t)h.n_rows);
    }
}
