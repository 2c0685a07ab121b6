#include "isa/isa.h"
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

/* All taps of all outputs are inside: no patch has to be found. */
static int are_inside(const bp_conv_shape_t *s) {
    return s->window[0].pad == 0 && s->window[1].pad == 0 &&
           (s->y_height - 1) * s->window[0].stride + s->window[0].kernel <= s->x_height &&
           (s->y_width - 1) * s->window[1].stride + s->window[1].kernel <= s->x_width;
}

/* ---- CONV_2D: the taps of a row are neighbours, in the image and in the weights ---- */

/* Where the first taps of outputs are, and errors of these. */
typedef struct {
    uint32_t at[BP_ERRORS_AT_ONCE];
    int32_t delta[BP_ERRORS_AT_ONCE];
    uint32_t n;
    uint32_t sum; /* of delta, modulo 2^32 */
} batch_t;

static void begin_batch(batch_t *b, const bp_conv_shape_t *s, const bp_error_t *errors, uint8_t n) {
    const uint32_t column = s->window[1].stride * s->x_channels;
    const uint32_t row = s->window[0].stride * s->x_width * s->x_channels;
    uint32_t sum = 0;
    b->n = n;
    for (uint32_t i = 0; i < n; ++i) {
        b->at[i] = errors[i].row * row + errors[i].column * column;
        b->delta[i] = errors[i].delta;
        sum += (uint32_t)errors[i].delta;
    }
    b->sum = sum;
}

/* Sums of one weight over a batch, and of 3 and of 4 neighbours, which registers hold. x: of the first
 * tap at 0. Sums are modulo 2^32, to which what is taken off at the end brings them back. */
static void sum_1(int32_t *g, const int8_t *x, const batch_t *b, uint32_t off) {
    uint32_t a = 0;
    for (uint32_t i = 0; i < b->n; ++i) {
        a += (uint32_t)(b->delta[i] * x[(size_t)b->at[i]]);
    }
    g[0] = (int32_t)((uint32_t)g[0] + a - off);
}

/* gcc 12 would keep x and an offset instead of their sum, and then has too few registers. */
#ifdef BP_ISA_ARMV6M
#define AS_ONE(pointer) __asm__("" : "+l"(pointer))
#else
#define AS_ONE(pointer) ((void)0)
#endif

static void sum_3(int32_t *g, const int8_t *x, const batch_t *b, uint32_t off) {
    uint32_t a0 = 0, a1 = 0, a2 = 0;
    for (uint32_t i = 0; i < b->n; ++i) {
        const int8_t *u = x + (size_t)b->at[i];
        const int32_t delta = b->delta[i];
        AS_ONE(u);
        a0 += (uint32_t)(delta * u[0]);
        a1 += (uint32_t)(delta * u[1]);
        a2 += (uint32_t)(delta * u[2]);
    }
    g[0] = (int32_t)((uint32_t)g[0] + a0 - off);
    g[1] = (int32_t)((uint32_t)g[1] + a1 - off);
    g[2] = (int32_t)((uint32_t)g[2] + a2 - off);
}

static void sum_4(int32_t *g, const int8_t *x, const batch_t *b, uint32_t off) {
    uint32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (uint32_t i = 0; i < b->n; ++i) {
        const int8_t *u = x + (size_t)b->at[i];
        const int32_t delta = b->delta[i];
        AS_ONE(u);
        a0 += (uint32_t)(delta * u[0]);
        a1 += (uint32_t)(delta * u[1]);
        a2 += (uint32_t)(delta * u[2]);
        a3 += (uint32_t)(delta * u[3]);
    }
    g[0] = (int32_t)((uint32_t)g[0] + a0 - off);
    g[1] = (int32_t)((uint32_t)g[1] + a1 - off);
    g[2] = (int32_t)((uint32_t)g[2] + a2 - off);
    g[3] = (int32_t)((uint32_t)g[3] + a3 - off);
}

static void gradient_inside(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *s,
                            const bp_error_t *errors, uint8_t n) {
    const uint32_t run = s->window[1].kernel * s->x_channels;
    batch_t b;
    begin_batch(&b, s, errors, n);
    const int32_t zero_point = x_zp;
    const uint32_t off = b.sum * (uint32_t)zero_point;
    for (uint32_t dy = 0; dy < s->window[0].kernel; ++dy) {
        uint32_t k = 0;
        for (; run - k >= 4; k += 4) {
            sum_4(g + (size_t)k, x + (size_t)k, &b, off);
        }
        if (run - k == 3) {
            sum_3(g + (size_t)k, x + (size_t)k, &b, off);
            k = run;
        }
        for (; k < run; ++k) {
            sum_1(g + (size_t)k, x + (size_t)k, &b, off);
        }
        x += (size_t)(s->x_width * s->x_channels);
        g += (size_t)run;
    }
}

static void add_inputs(int32_t *g, const int8_t *x, int16_t x_zp, int32_t delta, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        g[i] += delta * ((int32_t)x[i] - x_zp);
    }
}

#ifdef BP_ISA_ADD_ROW
#define add_weights BP_ISA_ADD_ROW
#else
static void add_weights(int32_t *h, const int8_t *w, int32_t delta, uint32_t n) {
    for (; n >= 4; n -= 4, h += 4, w += 4) {
        h[0] += delta * w[0];
        h[1] += delta * w[1];
        h[2] += delta * w[2];
        h[3] += delta * w[3];
    }
    for (; n != 0; --n) {
        *h++ += delta * *w++;
    }
}
#endif

void bp_conv_gradient(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *s,
                      const bp_error_t *errors, uint8_t n) {
    const uint32_t kernel_row = s->window[1].kernel * s->x_channels;
    const uint32_t image_row = s->x_width * s->x_channels;
    if (are_inside(s)) {
        gradient_inside(g, x, x_zp, s, errors, n);
        return;
    }
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

static void down_inside(int32_t *h, const int8_t *row, const bp_conv_shape_t *s,
                        const bp_error_t *errors, uint8_t n) {
    const uint32_t run = s->window[1].kernel * s->x_channels;
    batch_t b;
    begin_batch(&b, s, errors, n);
    for (uint32_t dy = 0; dy < s->window[0].kernel; ++dy) {
        for (uint32_t i = 0; i < n; ++i) {
            add_weights(h + (size_t)b.at[i], row, b.delta[i], run);
        }
        h += (size_t)(s->x_width * s->x_channels);
        row += (size_t)run;
    }
}

void bp_conv_down(int32_t *h, const int8_t *row, const bp_conv_shape_t *s,
                  const bp_error_t *errors, uint8_t n) {
    if (are_inside(s)) {
        down_inside(h, row, s, errors, n);
        return;
    }
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
