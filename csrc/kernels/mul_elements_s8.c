#include "isa/primitives.h"
#include <byteprop/fixed.h>

void bp_mul_elements_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                        const bp_mul_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t product = ((int32_t)x1[i] - p->x_zp[0]) * ((int32_t)x2[i] - p->x_zp[1]);
        int32_t scaled = bp_requant(product, p->mult_q31, p->lshift);
        y[i] = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
    }
}
