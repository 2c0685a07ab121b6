#include "kernels/window.h"
#include "train/kernels/kernels.h"

/* Which taps of an output are inside of the image, and where the first of them is. */
typedef struct {
    bp_taps_t rows;
    bp_taps_t columns;
} patch_t;

static patch_t patch_of(const bp_conv_shape_t *s, const bp_error_t *error) {
    const patch_t patch = {bp_window_taps(&s->window[0], error->row, s->x_height),
                           bp_window_taps(&s->window[1], error->column, s->x_width)};
    return patch;
}

/* ---- CONV_2D: the taps of a row are neighbours, in the image and in the weights ---- */

static void add_inputs(int32_t *g, const int8_t *x, int16_t x_zp, int32_t delta, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        g[i] += delta * ((int32_t)x[i] - x_zp);
    }
}

static void add_weights(int32_t *h, const int8_t *w, int32_t delta, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        h[i] += delta * w[i];
    }
}

void bp_conv_gradient(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *s,
                      const bp_error_t *errors, uint8_t n) {
    const uint32_t kernel_row = s->window[1].kernel * s->x_channels;
    const uint32_t image_row = s->x_width * s->x_channels;
    for (; n != 0; --n, ++errors) {
        const patch_t p = patch_of(s, errors);
        const uint32_t run = (p.columns.end - p.columns.begin) * s->x_channels;
        const int8_t *from = x + (size_t)(p.rows.at * image_row + p.columns.at * s->x_channels);
        int32_t *to = g + (size_t)(p.rows.begin * kernel_row + p.columns.begin * s->x_channels);
        for (uint32_t dy = p.rows.begin; dy < p.rows.end; ++dy) {
            add_inputs(to, from, x_zp, errors->delta, run);
            from += image_row;
            to += kernel_row;
        }
    }
}

void bp_conv_down(int32_t *h, const int8_t *row, const bp_conv_shape_t *s,
                  const bp_error_t *errors, uint8_t n) {
    const uint32_t kernel_row = s->window[1].kernel * s->x_channels;
    const uint32_t image_row = s->x_width * s->x_channels;
    for (; n != 0; --n, ++errors) {
        const patch_t p = patch_of(s, errors);
        const uint32_t run = (p.columns.end - p.columns.begin) * s->x_channels;
        const int8_t *from = row + (size_t)(p.rows.begin * kernel_row + p.columns.begin * s->x_channels);
        int32_t *to = h + (size_t)(p.rows.at * image_row + p.columns.at * s->x_channels);
        for (uint32_t dy = p.rows.begin; dy < p.rows.end; ++dy) {
            add_weights(to, from, errors->delta, run);
            from += kernel_row;
            to += image_row;
        }
    }
}

/* ---- DEPTHWISE_CONV_2D ---- */

void bp_depthwise_gradient(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *s,
                           const bp_error_t *errors, uint8_t n) {
    const uint32_t image_row = s->x_width * s->x_channels;
    for (; n != 0; --n, ++errors) {
        const patch_t p = patch_of(s, errors);
        const int8_t *row = x + (size_t)(p.rows.at * image_row + p.columns.at * s->x_channels);
        int32_t *to = g + (size_t)(p.rows.begin * s->window[1].kernel);
        for (uint32_t dy = p.rows.begin; dy < p.rows.end; ++dy) {
            const int8_t *from = row;
            for (uint32_t dx = p.columns.begin; dx < p.columns.end; ++dx, from += s->x_channels) {
                to[dx] += errors->delta * ((int32_t)*from - x_zp);
            }
            row += image_row;
            to += s->window[1].kernel;
        }
    }
}

void bp_depthwise_down(int32_t *h, const int8_t *weights, const bp_conv_shape_t *s,
                       const bp_error_t *errors, uint8_t n) {
    const uint32_t image_row = s->x_width * s->x_channels;
    for (; n != 0; --n, ++errors) {
        const patch_t p = patch_of(s, errors);
        int32_t *row = h + (size_t)(p.rows.at * image_row + p.columns.at * s->x_channels);
        for (uint32_t dy = p.rows.begin; dy < p.rows.end; ++dy, row += image_row) {
            const uint32_t tap = dy * s->window[1].kernel + p.columns.begin;
            const int8_t *w = weights + (size_t)(tap * s->y_channels);
            int32_t *to = row;
            for (uint32_t dx = p.columns.begin; dx < p.columns.end; ++dx) {
                *to += errors->delta * *w;
                w += s->y_channels;
                to += s->x_channels;
            }
        }
    }
}
