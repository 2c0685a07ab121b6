#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

#include "kernels/depthwise.h"

/* A few channels at a time are spread from their pixels to planes with a border of zero points, so
 * that each channel is a small image of its own. A band of rows is in memory at a time.
 *
 * y and x may overlap by bp_depthwise_distance: a group of channels writes where no other group
 * reads (bp_planes_are_apart), and within the group, the input of a band has been read before its
 * output is written. After its last output row, rows are read and written as far as they are when
 * single rows are computed one after the other, which is what the distance is made for. */

enum {
    KERNEL = 3,
    GROUP = 4,  /* channels at a time */
    BEYOND = 2, /* values behind the last row that a primitive may read */
    MAX_WIDTH = INT16_MAX,
    MAX_VALUE_BYTES = 2,
};

/* Two values of a plane; rows of planes are pairs. */
#if BP_ISA_PLANE_BYTES == 2
typedef uint32_t pair_t;
#else
typedef uint16_t pair_t;
#endif
enum { VALUE_BYTES = BP_ISA_PLANE_BYTES, VALUE_BITS = 8 * VALUE_BYTES };

static uint32_t lesser(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

bool bp_has_planes(const bp_conv_shape_t *s) {
    for (uint8_t i = 0; i < 2; ++i) {
        const bp_window_t *w = &s->window[i];
        if (w->kernel != KERNEL || w->dilation != 1 || w->stride > 2) {
            return false;
        }
    }
    return s->y_channels == s->x_channels && s->x_width <= MAX_WIDTH;
}

/* Input positions of an axis from the first that a window takes to the last. */
static uint32_t extent(const bp_window_t *window, uint32_t n_out) {
    return (n_out - 1) * window->stride + KERNEL;
}

/* Values from one row of a plane to the next, an even number. The border at the end of a row is the
 * one at the beginning of the next. */
static uint32_t pitch_of(const bp_conv_shape_t *s) {
    const uint32_t before = s->window[1].pad;
    const uint32_t all = extent(&s->window[1], s->y_width), inside = before + s->x_width;
    const uint32_t after = all > inside ? all - inside : 0;
    return (s->x_width + (after > before ? after : before) + 1) & ~(uint32_t)1;
}

uint32_t bp_planes_scratch(const bp_conv_shape_t *s) {
    const uint32_t rows =
        lesser(KERNEL + (uint32_t)s->window[0].stride, extent(&s->window[0], s->y_height));
    return lesser(s->x_channels, GROUP) * MAX_VALUE_BYTES * (rows * pitch_of(s) + BEYOND);
}

/* Bytes from a to b, modulo what a pointer holds. */
static uintptr_t bytes_between(const int8_t *a, const int8_t *b) {
    return (uintptr_t)b - (uintptr_t)a;
}

bool bp_are_apart(const int8_t *y, const int8_t *x, const bp_conv_shape_t *s) {
    return bytes_between(y, x) >= s->batch * s->y_height * s->y_width * s->y_channels &&
           bytes_between(x, y) >= s->batch * s->x_height * s->x_width * s->x_channels;
}

bool bp_planes_are_apart(const int8_t *y, const int8_t *x, const bp_conv_shape_t *s) {
    return bytes_between(y, x) % s->x_channels == 0 || bp_are_apart(y, x, s);
}

/* The planes of a group of channels, and what there is of the image in them. */
typedef struct {
    const bp_conv_s8_t *p;
    uint8_t *planes;
    uint32_t row_bytes;
    uint32_t plane_bytes;
    uint32_t y_rows; /* output rows of a band */
    uint32_t channel;
    uint32_t n; /* channels */
} band_t;

static void fill(uint8_t *to, uint32_t bytes, int8_t x_zp) {
    const uint32_t value = (uint32_t)(int32_t)x_zp & (((uint32_t)1 << VALUE_BITS) - 1);
    pair_t *pair = (pair_t *)(void *)to;
    for (const pair_t *end = pair + bytes / sizeof(pair_t); pair != end; ++pair) {
        *pair = (pair_t)(value | value << VALUE_BITS);
    }
}

/* Rows of every plane that are outside the image. With all rows in one band they stay as they are.
 */
static void fill_rows(const band_t *band, uint32_t row, uint32_t rows) {
    uint8_t *to = band->planes + (size_t)(row * band->row_bytes);
    if (rows == 0 || band->y_rows == band->p->shape.y_height) {
        return;
    }
    for (uint32_t i = 0; i < band->n; ++i, to += band->plane_bytes) {
        fill(to, rows * band->row_bytes, band->p->x_zp);
    }
}

/* The last rows of the band before become the first ones. */
static uint32_t keep_rows(const band_t *band) {
    const uint32_t stride = band->p->shape.window[0].stride, rows = KERNEL - stride;
    uint8_t *plane = band->planes;
    for (uint32_t i = 0; i < band->n; ++i, plane += band->plane_bytes) {
        pair_t *to = (pair_t *)(void *)plane;
        const pair_t *from = (const pair_t *)(const void *)(plane + (size_t)(band->y_rows * stride *
                                                                             band->row_bytes));
        for (const pair_t *end = to + rows * band->row_bytes / sizeof(pair_t); to != end; ++to) {
            *to = *from++;
        }
    }
    return rows;
}

/* Input rows of output rows oy .. oy + n - 1; x: the image. */
static void read_band(const band_t *band, const int8_t *x, uint32_t oy, uint32_t n) {
    const bp_conv_shape_t *s = &band->p->shape;
    const int32_t first = (int32_t)(oy * s->window[0].stride) - s->window[0].pad;
    const uint32_t rows = extent(&s->window[0], n);
    const uint32_t end = lesser(rows, (uint32_t)((int32_t)s->x_height - first));
    uint32_t row = oy == 0 ? 0 : keep_rows(band);
    if (first + (int32_t)row < 0) {
        const uint32_t outside = lesser((uint32_t)-first, rows);
        fill_rows(band, row, outside - row);
        row = outside;
    }
    if (row < end) {
        const bp_spread_t spread = {
            .planes =
                band->planes + (size_t)(row * band->row_bytes + s->window[1].pad * VALUE_BYTES),
            .plane_bytes = band->plane_bytes,
            .row_bytes = band->row_bytes,
            .x = x + (size_t)((uint32_t)(first + (int32_t)row) * s->x_width * s->x_channels +
                              band->channel),
            .x_step = s->x_channels,
            .width = s->x_width,
            .rows = end - row,
            .channels = band->n,
        };
        BP_ISA_DEPTHWISE_SPREAD(&spread);
        row = end;
    }
    fill_rows(band, row, rows - row);
}

/* Where an activation is narrower than int8. */
static void clamp_band(const band_t *band, int8_t *y, uint32_t pixels) {
    const bp_conv_s8_t *p = band->p;
    if (p->y_min == INT8_MIN && p->y_max == INT8_MAX) {
        return;
    }
    for (; pixels != 0; --pixels, y += (size_t)p->shape.y_channels) {
        for (uint32_t i = 0; i < band->n; ++i) {
            y[i] = (int8_t)bp_clamp(y[i], p->y_min, p->y_max);
        }
    }
}

/* n output rows from y on, which is the group's first channel. */
static void write_band(const band_t *band, int8_t *y, uint32_t n) {
    const bp_conv_s8_t *p = band->p;
    const bp_conv_shape_t *s = &p->shape;
    const bp_depthwise_planes_t outputs = {
        .planes = band->planes,
        .plane_bytes = band->plane_bytes,
        .row_bytes = band->row_bytes,
        .strides = {(uint8_t)s->window[0].stride, (uint8_t)s->window[1].stride},
        .y_zp = p->y_zp,
        .channels = (uint8_t)band->n,
        .y = y,
        .y_step = s->y_channels,
        .width = s->y_width,
        .rows = n,
        .weights = p->weights + (size_t)band->channel,
        .weight_step = s->y_channels,
        .channel_step = 1,
        .bias = p->bias + (size_t)(4 * band->channel),
        .mult_q31 = p->mult_q31 + (size_t)(4 * band->channel),
        .lshift = p->lshift + (size_t)band->channel,
    };
    BP_ISA_DEPTHWISE_OUTPUTS(&outputs);
    clamp_band(band, y, n * s->y_width);
}

/* The channels of a group, of one image. */
static void put_group(const band_t *band, int8_t *y, const int8_t *x) {
    const bp_conv_shape_t *s = &band->p->shape;
    y += (size_t)band->channel;
    for (uint32_t oy = 0; oy < s->y_height; oy += band->y_rows) {
        const uint32_t n = lesser(band->y_rows, s->y_height - oy);
        read_band(band, x, oy, n);
        write_band(band, y, n);
        y += (size_t)(n * s->y_width * s->y_channels);
    }
}

/* Bands as high as the memory allows. */
static band_t band_of(int8_t *scratch, uint32_t bytes, const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t n = lesser(GROUP, s->x_channels), pitch = pitch_of(s);
    const uint32_t values = bytes / n / VALUE_BYTES;
    const uint32_t rows = lesser((values - BEYOND) / pitch, extent(&s->window[0], s->y_height));
    return (band_t){
        .p = p,
        .planes = (uint8_t *)scratch,
        .row_bytes = pitch * VALUE_BYTES,
        .plane_bytes = (rows * pitch + BEYOND) * VALUE_BYTES,
        .y_rows = (rows - KERNEL) / s->window[0].stride + 1,
        .n = n,
    };
}

void bp_depthwise_by_planes(int8_t *y, const int8_t *x, int8_t *scratch, uint32_t bytes,
                            const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    band_t band = band_of(scratch, bytes, p);
    fill(band.planes, band.n * band.plane_bytes, p->x_zp); /* borders stay as they are now */
    for (uint32_t image = 0; image < s->batch; ++image) {
        for (band.channel = 0; band.channel < s->x_channels; band.channel += band.n) {
            band.n = lesser(band.n, s->x_channels - band.channel);
            put_group(&band, y, x);
        }
        band.n = lesser(GROUP, s->x_channels);
        y += (size_t)(s->y_height * s->y_width * s->y_channels);
        x += (size_t)(s->x_height * s->x_width * s->x_channels);
    }
}
