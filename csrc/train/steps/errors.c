#include "train/steps/errors.h"

#include "ops/mean.h"
#include "ops/pool.h"
#include "train/steps/steps.h"

/* The window of the pool above; of a mean, all of its input. */
static void read_pool(bp_errors_t *errors, const bp_train_t *t, const bp_train_layer_t *above,
                      const bp_conv_shape_t *s) {
    bp_op_t op;
    bp_pool_t pool;
    bp_model_op(&op, &t->model, above->op);
    if (op.code == BP_OP_MEAN_S8) {
        errors->width = 1;
        for (uint8_t i = 0; i < 2; ++i) {
            const uint32_t n = i == 0 ? s->y_height : s->y_width;
            errors->window[i] = (bp_window_t){(uint16_t)n, (uint16_t)n, 1, 0};
        }
        return;
    }
    bp_pool_record(&pool, &t->model, &op);
    errors->width = (uint16_t)pool.y_width;
    errors->window[0] = pool.window[0];
    errors->window[1] = pool.window[1];
    if (above->view == BP_VIEW_MAX) {
        errors->rows = (uint16_t)pool.y_height;
        errors->columns = (uint16_t)pool.y_width;
        return;
    }
    /* Outputs behind the last window have no error. */
    errors->rows = (uint16_t)(pool.y_height * pool.window[0].stride);
    errors->columns = (uint16_t)(pool.y_width * pool.window[1].stride);
}

void bp_errors_of(bp_errors_t *errors, const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_layer_t *above = bp_train_layer(t, (uint16_t)(l + 1));
    bp_conv_s8_t conv;
    bp_train_conv_now(&conv, t, layer);
    *errors = (bp_errors_t){0};
    errors->delta = bp_train_errors_of(t, above->view == BP_VIEW_NONE ? l : (uint16_t)(l + 1));
    errors->channels = layer->n_out;
    errors->rows = (uint16_t)conv.shape.y_height;
    errors->columns = (uint16_t)conv.shape.y_width;
    errors->width = errors->columns;
    errors->y_min = layer->y_min;
    errors->y_max = layer->y_max;
    errors->view = above->view;
    errors->window[0] = errors->window[1] = (bp_window_t){1, 1, 1, 0};
    if (above->view != BP_VIEW_NONE) {
        read_pool(errors, t, above, &conv.shape);
    }
    if (above->view == BP_VIEW_MAX) {
        errors->places = (const uint8_t *)bp_train_i8(t, above->weights);
    }
    if (above->view == BP_VIEW_MEAN && layer->activation != BP_ACT_NONE) {
        errors->y = bp_train_i8(t, layer->y);
        errors->stride = conv.shape.y_width;
    }
}

void bp_errors_begin(bp_errors_t *errors, uint16_t channel) {
    errors->channel = channel;
    errors->row = 0;
    errors->column = 0;
}

/* Errors of outputs, or of a maximum pool's: then where in its window the maximum was. Windows are
 * small: no division. */
static uint8_t next_stored(bp_errors_t *e, bp_error_t *found) {
    const size_t channels = (size_t)e->channels;
    const size_t at = ((size_t)e->row * e->columns + e->column) * channels + e->channel;
    const int16_t *delta = e->delta + at;
    const uint32_t width = e->window[1].kernel;
    const uint32_t end_column = (uint32_t)e->columns * e->window[1].stride - e->window[1].pad;
    const bp_error_t *begin = found, *end = found + BP_ERRORS_AT_ONCE;
    uint32_t row = e->row, left = (uint32_t)e->columns - e->column; /* columns */
    for (; row < e->rows; ++row, left = e->columns) {
        const uint32_t top = row * e->window[0].stride - e->window[0].pad;
        for (; left != 0; --left, delta += channels) {
            const int32_t value = *delta;
            if (value == 0) {
                continue;
            }
            if (found == end) {
                e->row = (uint16_t)row;
                e->column = (uint16_t)(e->columns - left);
                return BP_ERRORS_AT_ONCE;
            }
            uint32_t place = e->places == NULL ? 0 : e->places[delta - e->delta], y = top;
            for (; place >= width; place -= width) {
                ++y;
            }
            found->delta = value;
            found->row = (uint16_t)y;
            found->column = (uint16_t)(end_column - left * e->window[1].stride + place);
            ++found;
        }
    }
    e->row = (uint16_t)row;
    return (uint8_t)(found - begin);
}

/* The error of an average's window, at the outputs that it is the error of. */
static int32_t average_at(const bp_errors_t *e) {
    const uint32_t row = e->row, column = e->column;
    if (row % e->window[0].stride >= e->window[0].kernel ||
        column % e->window[1].stride >= e->window[1].kernel) {
        return 0;
    }
    const uint32_t v = row / e->window[0].stride, u = column / e->window[1].stride;
    return e->delta[(size_t)((v * e->width + u) * e->channels + e->channel)];
}

static uint8_t next_averaged(bp_errors_t *e, bp_error_t *found) {
    const int is_single = e->rows <= e->window[0].kernel && e->columns <= e->window[1].kernel;
    const int32_t single = e->delta[e->channel];
    uint8_t n = 0;
    for (; e->row < e->rows; ++e->row, e->column = 0) {
        uint32_t at = ((uint32_t)e->row * e->stride + e->column) * e->channels + e->channel;
        for (; e->column < e->columns; ++e->column, at += e->channels) {
            const int32_t delta = is_single ? single : average_at(e);
            if (delta == 0 || (e->y != NULL && (e->y[at] == e->y_min || e->y[at] == e->y_max))) {
                continue;
            }
            if (n == BP_ERRORS_AT_ONCE) {
                return n;
            }
            found[n++] = (bp_error_t){delta, e->row, e->column};
        }
    }
    return n;
}

uint8_t bp_errors_next(bp_errors_t *e, bp_error_t *found) {
    return e->view == BP_VIEW_MEAN ? next_averaged(e, found) : next_stored(e, found);
}
