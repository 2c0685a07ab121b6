#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { BLOCK_FILTERS = 4 };

/* sums[r] = row r . x, of n <= BLOCK_FILTERS rows that begin at row. */
static void dot_rows(int32_t *sums, const uint8_t *row, const int8_t *x, const bp_svdf_s8_t *p,
                     uint8_t n) {
    BP_ISA_BEGIN
    if (n == BLOCK_FILTERS) {
        BP_ISA_DOT_ROWS(sums, x, row, p->row_stride, p->n_in);
        return;
    }
    for (uint8_t r = 0; r < n; ++r, row += p->row_stride) {
        sums[r] = BP_ISA_DOT_ROW(x, row, p->n_in);
    }
}

/* A filter forgets its oldest value and takes a new one. */
static void remember(uint8_t *values, int32_t value, const bp_svdf_s8_t *p) {
    const uint8_t width = p->value_bytes;
    const uint8_t *last = values + (size_t)(p->n_memory - 1) * width;
    for (; values != last; ++values) {
        *values = values[width];
    }
    const int32_t most = width == 1 ? INT8_MAX : INT16_MAX;
    const int32_t kept = bp_clamp(value, -most - 1, most);
    values[0] = (uint8_t)kept;
    if (width == 2) {
        values[1] = (uint8_t)((uint16_t)kept >> 8);
    }
}

static void filter_features(uint8_t *state, const int8_t *x, const bp_svdf_s8_t *p) {
    const uint16_t n_filters = (uint16_t)(p->n_unit * p->rank);
    const size_t filter_bytes = (size_t)p->n_memory * p->value_bytes;
    const uint8_t *row = p->features;
    const uint8_t *bias = p->feature_bias;
    int32_t sums[BLOCK_FILTERS];
    for (uint16_t left = n_filters; left != 0;) {
        const uint8_t n = (uint8_t)(left < BLOCK_FILTERS ? left : BLOCK_FILTERS);
        dot_rows(sums, row, x, p, n);
        for (uint8_t r = 0; r < n; ++r, bias += 4, state += filter_bytes) {
            const int32_t sum = bp_add_wrap(sums[r], BP_ROM_I32(bias));
            const int32_t scaled = bp_requant(sum, p->feature_mult_q31, p->feature_lshift);
            remember(state, bp_add_wrap(scaled, p->value_zp), p);
        }
        row += (size_t)n * p->row_stride;
        left = (uint16_t)(left - n);
    }
}

/* acc + the products of n values and weights of two bytes each, modulo 2^32. */
static int32_t dot_s16(int32_t acc, const uint8_t *values, const uint8_t *weights, uint16_t n) {
    for (; n != 0; --n, values += 2, weights += 2) {
        const int16_t value = (int16_t)(values[0] | (uint16_t)values[1] << 8);
        acc = bp_add_wrap(acc, (int32_t)value * (int16_t)BP_ROM_U16(weights));
    }
    return acc;
}

/* The same of one byte each. */
static int32_t dot_s8(int32_t acc, const uint8_t *values, const uint8_t *weights, uint16_t n) {
    for (; n != 0; --n, ++values, ++weights) {
        acc = bp_add_wrap(acc, (int8_t)*values * BP_ROM_I8(weights));
    }
    return acc;
}

/* The values of a unit's filters lie one after the other, and so do their weights. */
static void filter_time(int8_t *y, const uint8_t *state, const bp_svdf_s8_t *p) {
    const size_t filter_bytes = (size_t)p->n_memory * p->value_bytes;
    const uint8_t *weights = p->time;
    for (uint16_t unit = 0; unit < p->n_unit; ++unit) {
        int32_t acc = BP_ROM_I32(p->bias + (size_t)4 * unit);
        for (uint16_t r = 0; r < p->rank; ++r, state += filter_bytes, weights += filter_bytes) {
            acc = p->value_bytes == 1 ? dot_s8(acc, state, weights, p->n_memory)
                                      : dot_s16(acc, state, weights, p->n_memory);
        }
        const int32_t scaled = bp_requant(acc, p->mult_q31, p->lshift);
        y[unit] = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), INT8_MIN, INT8_MAX);
    }
}

void bp_svdf_s8(int8_t *y, uint8_t *state, const int8_t *x, const bp_svdf_s8_t *p) {
    filter_features(state, x, p);
    filter_time(y, state, p);
}
