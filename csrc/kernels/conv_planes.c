#include "conv.h"
#include "isa/isa.h"
#include "kernels/window.h"

/* 3 x 3 convolutions of images of one channel, which every output channel reads: bands of rows are
 * widened into a plane with zero points around it, and each output channel is what a depthwise
 * convolution makes of that plane.
 *
 * y and x may overlap by bp_conv_distance. The rows of a band are read before its outputs are
 * written, and what bands before it have written is what single pixels would have written before
 * its first one: so all of its windows are still there. */

enum { KERNEL = 3, CHANNELS = 4, BEYOND = 2, PLANE_VALUES = 256 };

#if BP_ISA_PLANE_BYTES == 2
typedef int16_t value_t;
#else
typedef int8_t value_t;
#endif

/* Values of a row of the plane, an even number. */
static uint32_t pitch_of(const bp_conv_shape_t *s) {
    return (bp_window_extent(&s->window[1], s->y_width) + 1) & ~(uint32_t)1;
}

bool bp_conv_has_planes(const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    for (uint8_t i = 0; i < 2; ++i) {
        const bp_window_t *w = &s->window[i];
        if (w->kernel != KERNEL || w->dilation != 1 || w->stride > 2) {
            return false;
        }
    }
    return s->x_channels == 1 && s->y_width < PLANE_VALUES &&
           KERNEL * pitch_of(s) + BEYOND <= PLANE_VALUES;
}

static value_t *fill(value_t *to, const value_t *end, int8_t x_zp) {
    while (to < end) {
        *to++ = x_zp;
    }
    return to;
}

/* Row number `row` of an image, which may be outside of it. */
static void read_row(value_t *to, const int8_t *x, const bp_conv_s8_t *p, uint32_t row) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t pad = s->window[1].pad, pitch = pitch_of(s);
    const value_t *end = to + pitch;
    if (row < s->x_height && pad < pitch) {
        const int8_t *from = x + (size_t)(row * s->x_width);
        to = fill(to, to + pad, p->x_zp);
        for (uint32_t left = pitch - pad < s->x_width ? pitch - pad : s->x_width; left != 0; --left) {
            *to++ = *from++;
        }
    }
    fill(to, end, p->x_zp);
}

/* Output rows oy .. oy + n - 1 of an image. */
static void put_band(int8_t *y, const int8_t *x, const bp_conv_s8_t *p, uint32_t oy, uint32_t n) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t pitch = pitch_of(s), rows = bp_window_extent(&s->window[0], n);
    value_t plane[PLANE_VALUES];
    bp_depthwise_planes_t outputs = {
        .planes = (const uint8_t *)plane,
        .row_bytes = pitch * sizeof(value_t),
        .strides = {(uint8_t)s->window[0].stride, (uint8_t)s->window[1].stride},
        .y_zp = p->y_zp,
        .y = y,
        .y_step = s->y_channels,
        .width = s->y_width,
        .rows = n,
        .weights = p->weights,
        .weight_step = 1,
        .channel_step = bp_conv_row_stride(s, 1),
        .bias = p->bias,
        .mult_q31 = p->mult_q31,
        .lshift = p->lshift,
    };
    for (uint32_t row = 0; row < rows; ++row) {
        read_row(plane + (size_t)(row * pitch), x, p, oy * s->window[0].stride + row - s->window[0].pad);
    }
    for (uint32_t left = s->y_channels; left != 0; left -= outputs.channels) {
        outputs.channels = (uint8_t)(left < CHANNELS ? left : CHANNELS);
        BP_ISA_DEPTHWISE_OUTPUTS(&outputs);
        outputs.y += outputs.channels;
        outputs.weights += (size_t)(outputs.channels * outputs.channel_step);
        outputs.bias += (size_t)(4 * outputs.channels);
        outputs.mult_q31 += (size_t)(4 * outputs.channels);
        outputs.lshift += (size_t)outputs.channels;
    }
    if (p->y_min != INT8_MIN || p->y_max != INT8_MAX) {
        for (int8_t *end = y + (size_t)(n * s->y_width * s->y_channels); y != end; ++y) {
            *y = (int8_t)bp_clamp(*y, p->y_min, p->y_max);
        }
    }
}

/* An image in bands as high as the plane allows. */
static void put_image(int8_t *y, const int8_t *x, const bp_conv_s8_t *p, bool reversed) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t rows = (PLANE_VALUES - BEYOND) / pitch_of(s);
    const uint32_t most = (rows - KERNEL) / s->window[0].stride + 1;
    for (uint32_t left = s->y_height; left != 0;) {
        const uint32_t n = left < most ? left : most;
        const uint32_t oy = reversed ? left - n : s->y_height - left;
        put_band(y + (size_t)(oy * s->y_width * s->y_channels), x, p, oy, n);
        left -= n;
    }
}

void bp_conv_by_planes(int8_t *y, const int8_t *x, const bp_conv_s8_t *p, int32_t direction) {
    const bp_conv_shape_t *s = &p->shape;
    for (uint32_t i = 0; i < s->batch; ++i) {
        const uint32_t image = direction < 0 ? s->batch - 1 - i : i;
        put_image(y + (size_t)(image * s->y_height * s->y_width * s->y_channels),
                  x + (size_t)(image * s->x_height * s->x_width), p, direction < 0);
    }
}
