#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { BLOCK_CELLS = 4 };

static int32_t sat16(int32_t x) {
    return bp_clamp(x, INT16_MIN, INT16_MAX);
}

/* sums[r] = row r . x, of n <= BLOCK_CELLS rows that begin at row. */
static void dot_rows(int32_t *sums, const uint8_t *row, const int8_t *x, uint16_t n_in,
                     uint16_t stride, uint8_t n) {
    BP_ISA_BEGIN
    if (n == BLOCK_CELLS) {
        BP_ISA_DOT_ROWS(sums, x, row, stride, n_in);
        return;
    }
    for (uint8_t r = 0; r < n; ++r, row += stride) {
        sums[r] = BP_ISA_DOT_ROW(x, row, n_in);
    }
}

static int32_t scaled(int32_t sum, const uint8_t *bias, uint16_t cell, int32_t mult_q31,
                      int8_t lshift) {
    return bp_requant(bp_add_wrap(sum, BP_ROM_I32(bias + (size_t)4 * cell)), mult_q31, lshift);
}

static void gate_sums(int16_t *gate, const int8_t *x, const int8_t *h, const bp_lstm_s8_t *p,
                      const bp_lstm_gate_t *g, uint16_t first, uint8_t n) {
    int32_t sums[BLOCK_CELLS], recurrent[BLOCK_CELLS];
    dot_rows(sums, g->weights + (size_t)first * p->row_stride, x, p->n_in, p->row_stride, n);
    dot_rows(recurrent, g->recurrent + (size_t)first * p->recurrent_stride, h, p->n_cell,
             p->recurrent_stride, n);
    for (uint8_t r = 0; r < n; ++r) {
        const uint16_t cell = (uint16_t)(first + r);
        const int32_t of_x = sat16(scaled(sums[r], g->bias, cell, g->mult_q31, g->lshift));
        const int32_t of_h = scaled(recurrent[r], g->recurrent_bias, cell, g->recurrent_mult_q31,
                                    g->recurrent_lshift);
        gate[r] = (int16_t)sat16(bp_add_wrap(of_h, of_x));
    }
}

static int32_t product(int32_t a, int32_t b, uint8_t rshift) {
    return bp_round_shift_right(a * b, rshift);
}

/* c of a cell from the sums of its gates; returns h. */
static int8_t finish_cell(uint8_t *c, const int16_t *sums, const bp_lstm_s8_t *p) {
    const uint8_t integer_bits = p->cell_integer_bits;
    const int16_t old = (int16_t)(c[0] | (uint16_t)c[1] << 8);
    const int16_t in = bp_logistic_s16(sums[BP_GATE_INPUT * BLOCK_CELLS]);
    const int16_t kept = bp_logistic_s16(sums[BP_GATE_FORGET * BLOCK_CELLS]);
    const int16_t value = bp_tanh_s16(sums[BP_GATE_CELL * BLOCK_CELLS], BP_GATE_INTEGER_BITS);
    const int16_t out = bp_logistic_s16(sums[BP_GATE_OUTPUT * BLOCK_CELLS]);
    int32_t cell =
        sat16(product(kept, old, 15) + product(in, value, (uint8_t)(15 + integer_bits)));
    if (p->cell_clip != 0) {
        cell = bp_clamp(cell, -(int32_t)p->cell_clip, p->cell_clip);
    }
    c[0] = (uint8_t)cell;
    c[1] = (uint8_t)((uint16_t)cell >> 8);
    const int32_t hidden =
        bp_requant((int32_t)out * bp_tanh_s16((int16_t)cell, integer_bits), p->hidden_mult_q31,
                   p->hidden_lshift);
    return (int8_t)bp_clamp(bp_add_wrap(hidden, p->h_zp), INT8_MIN, INT8_MAX);
}

void bp_lstm_step_s8(int8_t *h_new, uint8_t *c, const int8_t *x, const int8_t *h,
                     const bp_lstm_s8_t *p) {
    int16_t sums[BP_GATES * BLOCK_CELLS];
    for (uint16_t first = 0; first < p->n_cell; first = (uint16_t)(first + BLOCK_CELLS)) {
        const uint16_t left = (uint16_t)(p->n_cell - first);
        const uint8_t n = (uint8_t)(left < BLOCK_CELLS ? left : BLOCK_CELLS);
        for (uint8_t g = 0; g < BP_GATES; ++g) {
            gate_sums(sums + g * BLOCK_CELLS, x, h, p, p->gates + g, first, n);
        }
        for (uint8_t r = 0; r < n; ++r, c += 2) {
            *h_new++ = finish_cell(c, sums + r, p);
        }
    }
}
