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
    errors->delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
    errors->channels = layer->n_out;
    errors->rows = (uint16_t)conv.shape.y_height;
    errors->columns = (uint16_t)conv.shape.y_width;
    errors->width = errors->columns;
    errors->y_min = layer->y_min;
    errors->y_max = layer->y_max;
    errors->view = above->view;
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

/* The error at the walk's place; 0: none. */
static int32_t error_at(const bp_errors_t *e, bp_error_t *found) {
    uint32_t row = e->row, column = e->column;
    found->row = e->row;
    found->column = e->column;
    if (e->view == BP_VIEW_MEAN) {
        const uint32_t at = (row * e->stride + column) * e->channels + e->channel;
        if (row % e->window[0].stride >= e->window[0].kernel ||
            column % e->window[1].stride >= e->window[1].kernel ||
            (e->y != NULL && (e->y[at] == e->y_min || e->y[at] == e->y_max))) {
            return 0;
        }
        row /= e->window[0].stride;
        column /= e->window[1].stride;
    }
    const uint32_t at = (row * e->width + column) * e->channels + e->channel;
    if (e->view == BP_VIEW_MAX && e->delta[at] != 0) {
        const uint8_t place = e->places[at];
        found->row = (uint16_t)(row * e->window[0].stride + place / e->window[1].kernel -
                                e->window[0].pad);
        found->column = (uint16_t)(column * e->window[1].stride + place % e->window[1].kernel -
                                   e->window[1].pad);
    }
    return e->delta[at];
}

uint8_t bp_errors_next(bp_errors_t *e, bp_error_t *found) {
    uint8_t n = 0;
    for (; e->row < e->rows; ++e->row, e->column = 0) {
        for (; e->column < e->columns; ++e->column) {
            if (n == BP_ERRORS_AT_ONCE) {
                return n;
            }
            found[n].delta = error_at(e, found + n);
            n = (uint8_t)(n + (found[n].delta != 0));
        }
    }
    return n;
}
