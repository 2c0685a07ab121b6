#include "isa/primitives.h"

/* Sums of four columns, which registers hold, over all terms. */
static void weigh_4(int32_t *sums, const bp_term_t *term, uint32_t at) {
    uint32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (; term->row != NULL; ++term) {
        const int8_t *x = term->row + (size_t)at;
        const int32_t factor = term->factor;
        a0 += (uint32_t)(factor * x[0]);
        a1 += (uint32_t)(factor * x[1]);
        a2 += (uint32_t)(factor * x[2]);
        a3 += (uint32_t)(factor * x[3]);
    }
    sums[0] = (int32_t)((uint32_t)sums[0] + a0);
    sums[1] = (int32_t)((uint32_t)sums[1] + a1);
    sums[2] = (int32_t)((uint32_t)sums[2] + a2);
    sums[3] = (int32_t)((uint32_t)sums[3] + a3);
}

void bp_weigh_rows_s8(int32_t *sums, const bp_term_t *terms, uint32_t n) {
    uint32_t at = 0;
    for (; n - at >= 4; at += 4) {
        weigh_4(sums + (size_t)at, terms, at);
    }
    for (; at < n; ++at) {
        bp_weigh_column(sums + (size_t)at, terms, at);
    }
}

static void sum_4(int32_t *sums, const int8_t *const *row, uint32_t at) {
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (; *row != NULL; ++row) {
        const int8_t *x = *row + (size_t)at;
        a0 += x[0];
        a1 += x[1];
        a2 += x[2];
        a3 += x[3];
    }
    sums[0] += a0;
    sums[1] += a1;
    sums[2] += a2;
    sums[3] += a3;
}

void bp_sum_rows_s8(int32_t *sums, const int8_t *const *rows, uint32_t n) {
    uint32_t at = 0;
    for (; n - at >= 4; at += 4) {
        sum_4(sums + (size_t)at, rows, at);
    }
    for (; at < n; ++at) {
        bp_sum_column(sums + (size_t)at, rows, at);
    }
}

/* Three neighbours in each row. */
static void weigh_3(int32_t *sums, const bp_term_t *term, uint32_t at) {
    uint32_t a0 = (uint32_t)sums[0], a1 = (uint32_t)sums[1], a2 = (uint32_t)sums[2];
    for (; term->row != NULL; ++term) {
        const int8_t *x = term->row + (size_t)at;
        const int32_t factor = term->factor;
        a0 += (uint32_t)(factor * x[0]);
        a1 += (uint32_t)(factor * x[1]);
        a2 += (uint32_t)(factor * x[2]);
    }
    sums[0] = (int32_t)a0;
    sums[1] = (int32_t)a1;
    sums[2] = (int32_t)a2;
}

void bp_weigh_taps_s8(int32_t *sums, const bp_term_t *terms, uint32_t pitch) {
    for (uint32_t i = 0; i < 3; ++i) {
        weigh_3(sums + (size_t)(3 * i), terms, i * pitch);
    }
}
