#include "train/steps/taps.h"

#include "isa/isa.h"
#include "kernels/window.h"

enum { KERNEL = 3, BAND_BYTES = 192, TERMS = 8 };

/* Rows of a channel, each of `pitch` values from the first that a window takes to the last. */
typedef struct {
    int8_t values[BAND_BYTES];
    const bp_conv_shape_t *shape;
    uint32_t pitch;
    uint32_t rows;   /* of outputs that it has the inputs of */
    uint32_t inside; /* values of a row that are inside the image, the first of them behind the padding */
    int8_t x_zp;
} band_t;

static uint32_t lesser(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

int bp_has_taps(const bp_errors_t *e, const bp_conv_shape_t *s) {
    return e->view == BP_VIEW_NONE && s->window[0].kernel == KERNEL &&
           s->window[1].kernel == KERNEL &&
           bp_window_extent(&s->window[1], s->y_width) <= BAND_BYTES / KERNEL;
}

static void fill(band_t *band) {
    for (uint32_t i = 0; i < BAND_BYTES; ++i) {
        band->values[i] = band->x_zp;
    }
}

static void begin_band(band_t *band, const bp_conv_shape_t *s, int16_t x_zp) {
    const uint32_t pad = s->window[1].pad;
    band->shape = s;
    band->pitch = bp_window_extent(&s->window[1], s->y_width);
    band->rows = lesser(s->y_height, (BAND_BYTES / band->pitch - KERNEL) / s->window[0].stride + 1);
    band->inside = band->pitch < pad ? 0 : lesser(band->pitch - pad, s->x_width);
    band->x_zp = (int8_t)x_zp;
    fill(band);
}

/* The inputs of outputs from row y on. x: of the channel. What is not inside keeps its zero points, which
 * only several bands of a channel have to write again. */
static void read_band(band_t *band, const int8_t *x, uint32_t y) {
    const bp_conv_shape_t *s = band->shape;
    const uint32_t step = s->x_channels;
    const uint32_t rows = (band->rows - 1) * s->window[0].stride + KERNEL;
    int8_t *row = band->values + s->window[1].pad;
    if (band->rows != s->y_height) {
        fill(band);
    }
    const uint32_t pitch = band->pitch, inside = band->inside, image_row = s->x_width * step;
    const uint32_t height = s->x_height;
    uint32_t at = y * s->window[0].stride - s->window[0].pad; /* above the image: a large number */
    for (uint32_t i = 0; i < rows; ++i, ++at, row += pitch) {
        if (at < height) {
            const int8_t *from = x + (size_t)(at * image_row);
            for (int8_t *to = row, *end = row + inside; to != end; from += step) {
                *to++ = *from;
            }
        }
    }
}

/* Errors that wait to be summed up. */
typedef struct {
    bp_term_t terms[TERMS + 1];
    bp_term_t *end;
    uint32_t sum;
} waiting_t;

static void sum_up(waiting_t *w, const bp_conv_row_t *row, const band_t *band) {
    w->end->row = NULL;
    BP_ISA_WEIGH_TAPS(row->g, w->terms, band->pitch);
    w->end = w->terms;
}

/* Of a row of outputs. x: where the first of them has its first tap. */
static void add_errors(waiting_t *w, bp_conv_row_t *row, const band_t *band, const int8_t *x,
                       const int16_t *delta) {
    const uint32_t step = band->shape->window[1].stride, y_step = band->shape->y_channels;
    for (uint32_t left = band->shape->y_width; left != 0; --left, x += step, delta += y_step) {
        if (*delta == 0) {
            continue;
        }
        const int32_t shifted = bp_conv_shifted(*delta, row->rshift);
        row->bias += *delta;
        w->sum += (uint32_t)shifted;
        *w->end++ = (bp_term_t){x, shifted};
        if (w->end == w->terms + TERMS) {
            sum_up(w, row, band);
        }
    }
}

/* Of all outputs of a channel; delta: of the first. x: of the channel's inputs. */
static void add_channel(bp_conv_row_t *row, band_t *band, const int8_t *x, const int16_t *delta) {
    const bp_conv_shape_t *s = band->shape;
    const uint32_t step = s->window[0].stride * band->pitch;
    waiting_t w;
    w.end = w.terms;
    w.sum = 0;
    for (uint32_t y = 0; y < s->y_height; y += band->rows) {
        const uint32_t rows = lesser(band->rows, s->y_height - y);
        read_band(band, x, y);
        for (uint32_t i = 0; i < rows; ++i, delta += s->y_width * s->y_channels) {
            add_errors(&w, row, band, band->values + (size_t)(i * step), delta);
        }
        sum_up(&w, row, band);
    }
    bp_conv_row_center(row, KERNEL * KERNEL, band->x_zp, w.sum);
}

void bp_taps_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                   const bp_conv_shape_t *s, const bp_errors_t *e, bp_real_t rate) {
    const uint32_t outputs = s->y_channels / s->x_channels; /* of an input channel */
    band_t band;
    bp_conv_row_t row;
    begin_band(&band, s, layer->x_zp);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bp_conv_row_begin(&row, t, layer);
        add_channel(&row, &band, x + (size_t)(j / outputs), e->delta + j);
        bp_conv_row_end(&row, t, layer, j, rate);
    }
}
