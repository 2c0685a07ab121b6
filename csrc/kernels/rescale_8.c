#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

void bp_rescale_8(uint8_t *y, const uint8_t *x, uint32_t n, const bp_rescale_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int16_t xi = p->x_unsigned ? (int16_t)x[i] : (int16_t)(int8_t)x[i];
        int32_t scaled = bp_requant((int32_t)xi - p->x_zp, p->mult_q31, p->lshift);
        /* Both signednesses store the low 8 bits; y_min and y_max keep the value in range. */
        y[i] = (uint8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
    }
}
