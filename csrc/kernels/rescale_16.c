#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

void bp_rescale_16(uint8_t *y, const uint8_t *x, uint32_t n, const bp_rescale_t *p) {
    for (; n != 0; --n, x += 2) {
        const int16_t xi = (int16_t)(x[0] | (uint16_t)x[1] << 8);
        const int32_t scaled = bp_requant((int32_t)xi - p->x_zp, p->mult_q31, p->lshift);
        *y++ = (uint8_t)bp_clamp(bp_add_wrap(scaled, p->y_zp), p->y_min, p->y_max);
    }
}
