#include <stddef.h>

#include "train/kernels/kernels.h"

/* Two sums in 32 bits: |wh| <= 127, |wl| <= 128, |x - x_zp| <= 255, n <= 65532, so both stay below
 * 128 * 255 * 65532 < 2^31. */
int64_t bp_dot_master(const int8_t *wh, const int8_t *wl, const int8_t *x, int16_t x_zp,
                      uint16_t n) {
    int32_t high = 0, low = 0;
    for (uint16_t i = 0; i < n; ++i) {
        int32_t u = (int32_t)x[i] - x_zp;
        high += wh[i] * u;
        if (wl != NULL) {
            low += wl[i] * u;
        }
    }
    return (int64_t)high * 256 + low;
}
