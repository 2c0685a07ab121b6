#include <byteprop/config.h>
#include <byteprop/kernels.h>
#include <stdbool.h>

/* The inputs of each output pixel are collected into a column, which a dense layer then takes: so the
 * fastest row-block primitive of the CPU computes convolutions too. */

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
        group.weights += (size_t)group.n_out * group.row_stride;
        group.bias += (size_t)4 * group.n_out;
        group.mult_q31 += (size_t)4 * group.n_out;
        group.lshift += group.n_out;
    }
}

/* Bytes of a column. */
static uint32_t column_bytes(const bp_conv_shape_t *s) {
    return (uint32_t)s->window[0].kernel * s->window[1].kernel * s->x_channels;
}

uint32_t bp_conv_scratch(const bp_conv_shape_t *shape) {
    return BP_CONV_COLUMNS * column_bytes(shape);
}

void bp_conv_s8(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t bytes = column_bytes(s), total = s->batch * s->y_height * s->y_width;
    const bool reversed = bp_conv_is_backward(s);
    const uint16_t n_in = (uint16_t)(bytes / p->groups);
    const bp_dense_s8_t first_group = {
        .weights = p->weights,
        .bias = p->bias,
        .mult_q31 = p->mult_q31,
        .lshift = p->lshift,
        .n_in = n_in,
        .n_out = (uint16_t)(s->y_channels / p->groups),
        .row_stride = (uint16_t)((n_in + 3u) & ~3u),
        .per_channel = 1,
        .y_zp = p->y_zp,
        .y_min = p->y_min,
        .y_max = p->y_max,
    };
    pixel_t at = {0, 0, 0};
    if (reversed) {
        at = (pixel_t){s->batch - 1, s->y_height - 1, s->y_width - 1};
        y += (size_t)((total - 1) * s->y_channels);
    }
    for (uint32_t left = total; left != 0;) {
        const uint8_t n = left < BP_CONV_COLUMNS ? (uint8_t)left : BP_CONV_COLUMNS;
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
