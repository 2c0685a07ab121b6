#include "train/steps/pointwise.h"

#include "isa/isa.h"

enum { CHANNELS_AT_ONCE = 16 };

int bp_is_pointwise(const bp_errors_t *e, const bp_conv_shape_t *s) {
    for (uint8_t i = 0; i < 2; ++i) {
        if (s->window[i].kernel != 1 || s->window[i].stride != 1 || s->window[i].pad != 0) {
            return 0;
        }
    }
    if (s->y_height != s->x_height || s->y_width != s->x_width) {
        return 0;
    }
    return e->view == BP_VIEW_NONE ||
           (e->view == BP_VIEW_MEAN && e->rows == s->y_height && e->columns == s->y_width &&
            e->rows <= e->window[0].kernel && e->columns <= e->window[1].kernel);
}

/* Where no error passes. Copied to where the loops below cannot write, so that registers hold it. */
typedef struct {
    int32_t y_min;
    int32_t y_max;
} mask_t;

static inline mask_t mask_of(const bp_errors_t *e) {
    return (mask_t){e->y_min, e->y_max};
}

static inline int is_masked(mask_t mask, int32_t y) {
    return y == mask.y_min || y == mask.y_max;
}

/* ---- errors down ---- */

/* Some channels of a convolution: their weights, and what brings their errors to the largest scale or,
 * where a position has the same ones as any other, the errors. */
typedef struct {
    const int8_t *rows;
    uint32_t first;
    uint32_t n;
    uint16_t row_stride;
    uint8_t per_channel;
    uint8_t spread;
    union {
        bp_real_t ratio;
        int32_t delta;
    } of[CHANNELS_AT_ONCE];
} channels_t;

static int32_t scaled(const channels_t *c, int32_t delta, bp_real_t ratio) {
    const int32_t d = c->per_channel ? bp_real_apply(delta, ratio, BP_BACKWARD_LIMIT) : delta;
    return bp_conv_shifted(d, c->spread);
}

static void begin_channels(channels_t *c, const bp_train_t *t, const bp_train_layer_t *layer,
                           const bp_errors_t *e) {
    for (uint32_t i = 0; i < c->n; ++i) {
        const uint16_t j = (uint16_t)(c->first + i);
        bp_real_t ratio = {0, 0};
        if (c->per_channel) {
            ratio = bp_real_div(bp_weight_scale(t, layer, j), layer->weight_scale);
        }
        if (e->view == BP_VIEW_MEAN) {
            c->of[i].delta = scaled(c, e->delta[j], ratio);
        } else {
            c->of[i].ratio = ratio;
        }
    }
}

/* Terms of the channels' own errors at a position. */
static bp_term_t *add_stored(bp_term_t *term, const channels_t *c, const int16_t *delta) {
    const int8_t *row = c->rows;
    const size_t stride = c->row_stride;
    const uint32_t n = c->n;
    for (uint32_t i = 0; i < n; ++i, row += stride) {
        if (delta[i] != 0) {
            *term++ = (bp_term_t){row, scaled(c, delta[i], c->of[i].ratio)};
        }
    }
    return term;
}

/* The same of a mean's; y: the position's outputs, NULL: no mask. */
static bp_term_t *add_averaged(bp_term_t *term, const channels_t *c, mask_t mask, const int8_t *y) {
    const int8_t *row = c->rows;
    const size_t stride = c->row_stride;
    const uint32_t n = c->n;
    for (uint32_t i = 0; i < n; ++i, row += stride) {
        if (y == NULL || !is_masked(mask, y[i])) {
            *term++ = (bp_term_t){row, c->of[i].delta};
        }
    }
    return term;
}

static void channels_down(int32_t *h, const channels_t *c, const bp_errors_t *e, uint32_t positions,
                          uint32_t n_in) {
    bp_term_t terms[CHANNELS_AT_ONCE + 1];
    const mask_t mask = mask_of(e);
    size_t at = (size_t)c->first;
    for (; positions != 0; --positions, at += (size_t)e->channels, h += (size_t)n_in) {
        bp_term_t *end = e->view == BP_VIEW_NONE
                             ? add_stored(terms, c, e->delta + at)
                             : add_averaged(terms, c, mask, e->y == NULL ? NULL : e->y + at);
        end->row = NULL;
        BP_ISA_WEIGH_ROWS(h, terms, n_in);
    }
}

void bp_pointwise_down(int32_t *h, const bp_train_t *t, const bp_train_layer_t *layer,
                       const bp_conv_s8_t *conv, const bp_errors_t *e, uint8_t spread) {
    channels_t c;
    c.rows = (const int8_t *)conv->weights;
    c.row_stride = layer->row_stride;
    c.per_channel = layer->per_channel;
    c.spread = spread;
    for (c.first = 0; c.first < layer->n_out; c.first += c.n) {
        const uint32_t rest = layer->n_out - c.first;
        c.n = rest < CHANNELS_AT_ONCE ? rest : CHANNELS_AT_ONCE;
        begin_channels(&c, t, layer, e);
        channels_down(h, &c, e, layer->positions, layer->n_in);
        c.rows += (size_t)c.n * c.row_stride;
    }
}

/* ---- the gradient ---- */

/* Row j, from the errors of its channel: those at every n_out-th place from delta on. */
static void add_stored_errors(bp_conv_row_t *row, const bp_train_layer_t *layer, const int8_t *x,
                              const int16_t *delta) {
    bp_term_t terms[BP_TERMS + 1], *end = terms;
    const size_t step = layer->n_in, y_step = layer->n_out;
    const uint8_t rshift = row->rshift;
    uint32_t off = 0;
    int32_t bias = 0;
    for (uint32_t left = layer->positions; left != 0; --left, x += step, delta += y_step) {
        if (*delta == 0) {
            continue;
        }
        const int32_t shifted = bp_conv_shifted(*delta, rshift);
        bias += *delta;
        off += (uint32_t)shifted;
        *end++ = (bp_term_t){x, shifted};
        if (end == terms + BP_TERMS) {
            end->row = NULL;
            BP_ISA_WEIGH_ROWS(row->g, terms, layer->n_in);
            end = terms;
        }
    }
    end->row = NULL;
    BP_ISA_WEIGH_ROWS(row->g, terms, layer->n_in);
    row->bias = bias;
    bp_conv_row_center(row, layer->n_in, layer->x_zp, off);
}

/* Puts the inputs of those of n positions whose outputs pass errors on into `rows`; returns how many these
 * are. y: of the channel, NULL: no mask. */
static uint32_t find_inputs(const int8_t **rows, const int8_t *x, const bp_train_layer_t *layer,
                            mask_t mask, const int8_t *y, uint32_t n) {
    const size_t step = layer->n_in, y_step = layer->n_out;
    uint32_t found = 0;
    for (; n != 0; --n, x += step) {
        if (y == NULL || !is_masked(mask, *y)) {
            rows[found++] = x;
        }
        y = y == NULL ? NULL : y + y_step;
    }
    rows[found] = NULL;
    return found;
}

/* Adds the inputs of all positions whose outputs pass errors on; returns how many these are. */
static int32_t sum_inputs(int32_t *g, const bp_train_layer_t *layer, const int8_t *x,
                          const bp_errors_t *e, uint16_t j) {
    const int8_t *rows[BP_SUMMED_ROWS + 1];
    const mask_t mask = mask_of(e);
    uint32_t n = 0;
    for (uint32_t p = 0; p < layer->positions; p += BP_SUMMED_ROWS) {
        const uint32_t left = layer->positions - p, now = left < BP_SUMMED_ROWS ? left : BP_SUMMED_ROWS;
        const int8_t *y = e->y == NULL ? NULL : e->y + (size_t)(p * layer->n_out + j);
        n += find_inputs(rows, x + (size_t)(p * layer->n_in), layer, mask, y, now);
        BP_ISA_SUM_ROWS(g, rows, layer->n_in);
    }
    return (int32_t)n;
}

/* All positions have the same error, so it is multiplied once. */
static void add_averaged_error(bp_conv_row_t *row, const bp_train_layer_t *layer, const int8_t *x,
                               const bp_errors_t *e, uint16_t j) {
    const int32_t shifted = bp_conv_shifted(e->delta[j], row->rshift);
    const int32_t n = sum_inputs(row->g, layer, x, e, j);
    row->bias = e->delta[j] * n;
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        row->g[i] = shifted * (row->g[i] - n * layer->x_zp);
    }
}

void bp_pointwise_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                        const bp_errors_t *e, bp_real_t rate) {
    bp_conv_row_t row;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bp_conv_row_begin(&row, t, layer);
        if (e->view == BP_VIEW_NONE) {
            add_stored_errors(&row, layer, x, e->delta + j);
        } else if (e->delta[j] != 0) {
            add_averaged_error(&row, layer, x, e, j);
        }
        bp_conv_row_end(&row, t, layer, j, rate);
    }
}
