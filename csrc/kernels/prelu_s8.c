#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

void bp_prelu_s8(int8_t *y, const int8_t *x, const int8_t *alpha, uint32_t n,
                 const bp_prelu_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t value = (int32_t)x[i] - p->x_zp;
        uint8_t below = value < 0;
        if (below) {
            value *= (int32_t)alpha[i] - p->alpha_zp;
        }
        int32_t scaled = bp_requant(value, p->mult_q31[below], p->lshift[below]);
        y[i] = (int8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), INT8_MIN, INT8_MAX);
    }
}
