/* The last step of every update of a weight, shared by the portable code and what tuned code leaves
 * over. */
#ifndef BYTEPROP_TRAIN_SGD_H
#define BYTEPROP_TRAIN_SGD_H

#include <byteprop/fixed.h>

#include "train/kernels.h"

enum { BP_MASTER_MIN = -32640, BP_MASTER_MAX = 32639 };

/* W = clamp(w), split into its two planes. */
static inline void bp_store_master(int8_t *wh, int8_t *wl, int32_t w, bp_row_change_t *row) {
    int32_t bounded = bp_clamp(w, BP_MASTER_MIN, BP_MASTER_MAX);
    int8_t high = (int8_t)((bounded + 128) >> 8);
    row->saturated += bounded != w;
    row->weight_sum_change += high - *wh;
    *wh = high;
    *wl = (int8_t)(bounded - 256 * high);
}

/* Weights i of a row; state: of the rounding of the first of them. */
static inline void bp_sgd_part(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, uint16_t n,
                               int32_t c, bp_rounding_t rounding, bp_row_change_t *row) {
    uint32_t r = rounding.state;
    for (uint16_t i = 0; i < n; ++i, r += rounding.increment) {
        int32_t u = (int32_t)x[i] - x_zp;
        if (u != 0) {
            int32_t change = (c * u + (int32_t)(r >> 16)) >> 16;
            bp_store_master(wh + i, wl + i, 256 * (int32_t)wh[i] + wl[i] - change, row);
        }
    }
}

#endif
