#include <stddef.h>

#include "train/kernels/kernels.h"

static inline void store_s8(int8_t *wh, int32_t w, bp_row_change_t *row) {
    int32_t bounded = bp_clamp(w, -127, 127);
    row->saturated += bounded != w;
    row->weight_sum_change += bounded - *wh;
    *wh = (int8_t)bounded;
}

bp_row_change_t bp_sgd_row_s8(int8_t *wh, const int8_t *x, int16_t x_zp, uint16_t n, int32_t c,
                              bp_rounding_t rounding) {
    bp_row_change_t row = {0, 0};
    uint32_t r = rounding.state;
    for (uint16_t i = 0; i < n; ++i, r += rounding.increment) {
        int32_t u = (int32_t)x[i] - x_zp;
        if (u != 0) {
            store_s8(wh + i, wh[i] - ((c * u + (int32_t)(r >> 8)) >> 24), &row);
        }
    }
    return row;
}

/* Where all are neighbours, as most rows are; 8-bit CPUs have no flash for it. */
#if UINTPTR_MAX == 0xFFFFFFFF
#define HAS_NEIGHBOURS 1
static bp_row_change_t sgd_neighbours(int8_t *wh, int8_t *wl, const int32_t *g, uint16_t n,
                                      bp_rounding_t rounding) {
    bp_row_change_t row = {0, 0};
    uint32_t r = rounding.state;
    for (const int8_t *end = wh + (size_t)n; wh != end; ++wh, ++wl, r += rounding.increment) {
        const int32_t sum = *g++;
        if (sum != 0) {
            const int32_t change = (sum + (int32_t)(r >> 16)) >> 16;
            bp_store_master(wh, wl, 256 * (int32_t)*wh + *wl - change, &row);
        }
    }
    return row;
}
#else
#define HAS_NEIGHBOURS 0
#define sgd_neighbours(wh, wl, g, n, rounding) ((bp_row_change_t){0, 0})
#endif

bp_row_change_t bp_sgd_row_from(int8_t *wh, int8_t *wl, size_t step, const int32_t *g,
                                size_t g_step, uint16_t n, bp_rounding_t rounding) {
    bp_row_change_t row = {0, 0};
    uint32_t r = rounding.state;
    if (HAS_NEIGHBOURS && wl != NULL && step == 1 && g_step == 1) {
        return sgd_neighbours(wh, wl, g, n, rounding);
    }
    for (; n != 0; --n, r += rounding.increment, wh += step, g += g_step) {
        if (*g != 0 && wl != NULL) {
            int32_t change = (*g + (int32_t)(r >> 16)) >> 16;
            bp_store_master(wh, wl, 256 * (int32_t)*wh + *wl - change, &row);
        } else if (*g != 0) {
            /* 24 random bits below the shift: only here would the sum leave 32 bits. */
            int32_t low = (*g & 0xFFFFFF) + (int32_t)(r >> 8);
            store_s8(wh, *wh - ((*g >> 24) + (low >> 24)), &row);
        }
        wl = wl == NULL ? NULL : wl + step;
    }
    return row;
}

/* ---- gradients that are summed up, and velocities ---- */

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
