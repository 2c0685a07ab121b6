#include "conv.h"
#include <stdbool.h>

/* The inputs of each output pixel are collected into a column, which a dense layer then takes: so the
 * fastest row-block primitive of the CPU computes convolutions too. */

enum { PIXELS = 4 }; /* whose columns are collected before any is written */

/* An output pixel. */
typedef struct {
    uint32_t image;
    uint32_t y;
    uint32_t x;
} pixel_t;

static void forward(pixel_t *at, const bp_conv_shape_t *s) {
    if (++at->x == s->y_width) {
        at->x = 0;
        if (++at->y == s->y_height) {
            at->y = 0;
            ++at->image;
        }
    }
}

static void backward(pixel_t *at, const bp_conv_shape_t *s) {
    if (at->x-- == 0) {
        at->x = s->y_width - 1;
        if (at->y-- == 0) {
            at->y = s->y_height - 1;
            --at->image;
        }
    }
}

/* n channels of one tap; x is NULL outside the image. */
static int8_t *put_tap(int8_t *column, const int8_t *x, uint32_t n, int8_t x_zp) {
    for (uint32_t i = 0; i < n; ++i) {
        column[i] = x == NULL ? x_zp : x[i];
    }
    return column + n;
}

/* The inputs of one pixel in the order of the weights, group after group. */
static void put_column(int8_t *column, const int8_t *x, const bp_conv_s8_t *p, const pixel_t *at) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t channels = s->x_channels / p->groups;
    const uint32_t row_bytes = s->x_width * s->x_channels;
    const int32_t top = (int32_t)(at->y * s->window[0].stride) - s->window[0].pad;
    const int32_t left = (int32_t)(at->x * s->window[1].stride) - s->window[1].pad;
    x += (size_t)(at->image * s->x_height * row_bytes);
    for (uint16_t group = 0; group < p->groups; ++group, x += channels) {
        int32_t iy = top;
        for (uint16_t ky = 0; ky < s->window[0].kernel; ++ky, iy += s->window[0].dilation) {
            const bool in_rows = iy >= 0 && (uint32_t)iy < s->x_height;
            int32_t ix = left;
            for (uint16_t kx = 0; kx < s->window[1].kernel; ++kx, ix += s->window[1].dilation) {
                const bool inside = in_rows && ix >= 0 && (uint32_t)ix < s->x_width;
                const int8_t *tap =
                    inside ? x + (size_t)((uint32_t)iy * row_bytes + (uint32_t)ix * s->x_channels)
                           : NULL;
                column = put_tap(column, tap, channels, p->x_zp);
            }
        }
    }
}

/* One pixel from its column. */
static void put_pixel(int8_t *y, const int8_t *column, const bp_conv_s8_t *p, bp_dense_s8_t group) {
    for (uint16_t g = 0; g < p->groups; ++g) {
        bp_dense_s8(y, column, &group);
        y += group.n_out;
        column += group.n_in;
        bp_conv_next_group(&group);
    }
}

/* Bytes of a column. */
static uint32_t column_bytes(const bp_conv_shape_t *s) {
    return (uint32_t)s->window[0].kernel * s->window[1].kernel * s->x_channels;
}

/* Pixel number i of all images. */
static pixel_t pixel_at(uint32_t i, const bp_conv_shape_t *s) {
    const uint32_t row = i / s->y_width;
    return (pixel_t){row / s->y_height, row % s->y_height, i % s->y_width};
}

void bp_conv_pixels(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p,
                    uint32_t first, uint32_t left, int32_t direction) {
    const bp_conv_shape_t *s = &p->shape;
    const bool reversed = direction < 0;
    const uint32_t bytes = column_bytes(s);
    const bp_dense_s8_t first_group = bp_conv_first_group(p);
    pixel_t at = pixel_at(first, s);
    while (left != 0) {
        const uint8_t n = left < PIXELS ? (uint8_t)left : PIXELS;
        for (uint8_t i = 0; i < n; ++i) {
            put_column(columns + (size_t)(i * bytes), x, p, &at);
            (reversed ? backward : forward)(&at, s);
        }
        for (uint8_t i = 0; i < n; ++i) {
            put_pixel(y, columns + (size_t)(i * bytes), p, first_group);
            y = reversed ? y - s->y_channels : y + s->y_channels;
        }
        left -= n;
    }
}
