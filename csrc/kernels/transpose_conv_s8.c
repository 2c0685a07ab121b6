#include <byteprop/config.h>
#include <byteprop/kernels.h>

#include "conv.h"

/* Collects for each output what the definition scatters from each input: output o has input i at tap
 * o + pad - i * stride. The padding counts for nothing here, and how many taps an output has depends
 * on its position, so the zero point is not folded into the bias. */

/* Sum over the channels of one tap. */
static int32_t sum_of_tap(const int8_t *x, const uint8_t *weights, uint32_t n, int8_t x_zp) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; ++i) {
        sum += (int32_t)BP_ROM_I8(weights + (size_t)i) * ((int32_t)x[i] - x_zp);
    }
    return sum;
}

/* One channel of the output whose row and column, padding included, are `oy` and `ox`. */
static int32_t sum_of_taps(const int8_t *image, const uint8_t *row, const bp_conv_s8_t *p,
                           uint32_t oy, uint32_t ox) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t n = s->x_channels;
    int32_t sum = 0;
    int32_t iy = (int32_t)(oy / s->window[0].stride);
    for (uint32_t ky = oy % s->window[0].stride; ky < s->window[0].kernel && iy >= 0; --iy) {
        int32_t ix = (int32_t)(ox / s->window[1].stride);
        for (uint32_t kx = ox % s->window[1].stride; kx < s->window[1].kernel && ix >= 0; --ix) {
            if ((uint32_t)iy < s->x_height && (uint32_t)ix < s->x_width) {
                const uint32_t pixel = (uint32_t)iy * s->x_width + (uint32_t)ix;
                sum += sum_of_tap(image + (size_t)(pixel * n),
                                  row + (size_t)((ky * s->window[1].kernel + kx) * n), n, p->x_zp);
            }
            kx += s->window[1].stride;
        }
        ky += s->window[0].stride;
    }
    return sum;
}

void bp_transpose_conv_s8(int8_t *y, const int8_t *x, const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel * s->x_channels;
    const uint32_t row_stride = (taps + 3u) & ~(uint32_t)3;
    for (uint32_t image = 0; image < s->batch; ++image) {
        for (uint32_t oy = 0; oy < s->y_height; ++oy) {
            for (uint32_t ox = 0; ox < s->y_width; ++ox) {
                const uint8_t *row = p->weights;
                for (uint32_t o = 0; o < s->y_channels; ++o, row += (size_t)row_stride) {
                    const int32_t sum = sum_of_taps(x, row, p, oy + s->window[0].pad, ox + s->window[1].pad);
                    *y++ = bp_conv_output(sum, p, o);
                }
            }
        }
        x += (size_t)(s->x_height * s->x_width * s->x_channels);
    }
}
