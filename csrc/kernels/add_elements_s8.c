#include "isa/primitives.h"
#include <byteprop/fixed.h>

enum { FRACTION_BITS = 20 };

static int32_t scaled(int8_t x, uint8_t operand, const bp_add_t *p) {
    int32_t value = ((int32_t)x - p->x_zp[operand]) * ((int32_t)1 << FRACTION_BITS);
    return bp_requant(value, p->mult_q31[operand], p->lshift[operand]);
}

void bp_add_elements_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                        const bp_add_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t second = scaled(x2[i], 1, p);
        int32_t sum = scaled(x1[i], 0, p) + (p->subtract ? -second : second);
        sum = bp_requant(sum, p->mult_q31[2], p->lshift[2]);
        y[i] = (int8_t)bp_clamp(sum + p->y_zp, p->y_min, p->y_max);
    }
}
