#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/kernels.h>

/* Not widened: the product of two int8 fits int even where that has 16 bits. */
static inline int product(const uint8_t *weight, int8_t x) {
    return BP_ROM_I8(weight) * x;
}

void bp_dot_rows_s8(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                    uint16_t n_in) {
    const uint8_t *w0 = weights;
    const uint8_t *w1 = w0 + row_stride;
    const uint8_t *w2 = w1 + row_stride;
    const uint8_t *w3 = w2 + row_stride;
    int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
    for (const int8_t *end = x + n_in; x != end; ++x) {
        acc0 += product(w0++, *x);
        acc1 += product(w1++, *x);
        acc2 += product(w2++, *x);
        acc3 += product(w3++, *x);
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

int32_t bp_dot_row_s8(const int8_t *x, const uint8_t *row, uint16_t n_in) {
    int32_t acc = 0;
    for (uint16_t i = 0; i < n_in; ++i) {
        acc += product(row + i, x[i]);
    }
    return acc;
}
