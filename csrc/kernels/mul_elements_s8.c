#include "isa/primitives.h"
#include <byteprop/fixed.h>
#include <stddef.h>

/* Of any scaling. */
static void mul(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, const bp_mul_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t product = ((int32_t)x1[i] - p->x_zp[0]) * ((int32_t)x2[i] - p->x_zp[1]);
        int32_t scaled = bp_requant(product, p->mult_q31, p->lshift);
        y[i] = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
    }
}

void bp_mul_elements_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                        const bp_mul_t *p) {
    if (!bp_is_short(p->lshift)) {
        mul(y, x1, x2, n, p);
        return;
    }
    const uint8_t rshift = (uint8_t)-p->lshift;
    const int32_t rounding = bp_short_rounding(p->y_zp, rshift), mult_q31 = p->mult_q31;
    const int32_t zp1 = p->x_zp[0], zp2 = p->x_zp[1], y_min = p->y_min, y_max = p->y_max;
    for (const int8_t *end = y + (size_t)n; y != end; ++y) {
        const int32_t product = (*x1++ - zp1) * (*x2++ - zp2);
        const int32_t value = bp_requant_short(product, mult_q31, rounding, rshift);
        *y = (int8_t)bp_clamp(value, y_min, y_max);
    }
}
