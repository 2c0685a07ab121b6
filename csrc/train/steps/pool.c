#include "ops/pool.h"

#include "kernels/window.h"
#include "train/kernels/kernels.h"
#include "train/steps/steps.h"

/* AVERAGE_POOL_2D and MAX_POOL_2D. Behind a convolution, where windows do not overlap, the pool's errors
 * serve as those of the convolution, and nothing is stored; else they are added up. */

enum { MAX_TAPS = 256, MAX_CHANNELS = 32767 };
#define MAX_POSITIONS 65535u
#define BACKWARD_LIMIT ((int32_t)1 << 15)

static int windows_are_apart(const bp_pool_t *p) {
    return p->window[0].stride >= p->window[0].kernel && p->window[1].stride >= p->window[1].kernel;
}

/* No window is cut by the border of the input. */
static int windows_are_inside(const bp_pool_t *p) {
    return p->window[0].pad == 0 && p->window[1].pad == 0 &&
           (p->y_height - 1) * p->window[0].stride + p->window[0].kernel <= p->x_height &&
           (p->y_width - 1) * p->window[1].stride + p->window[1].kernel <= p->x_width;
}

/* All errors may be divided by the same number at once: in the unit. */
static int divides_unit(const bp_pool_t *p) {
    return windows_are_apart(p) && windows_are_inside(p);
}

static uint8_t view_of(const bp_pool_t *p, const bp_train_layer_t *layer,
                       const bp_train_layer_t *below) {
    if (below == NULL || below->code == BP_OP_DENSE_S8 || !bp_train_has_weights(below) || below->view != 0) {
        return BP_VIEW_NONE;
    }
    if (p->is_max) {
        return windows_are_apart(p) && layer->activation == below->activation ? BP_VIEW_MAX
                                                                               : BP_VIEW_NONE;
    }
    return divides_unit(p) && layer->activation == BP_ACT_NONE ? BP_VIEW_MEAN : BP_VIEW_NONE;
}

bp_status_t bp_train_pool_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                               const bp_train_layer_t *below) {
    bp_pool_t pool;
    bp_pool_record(&pool, model, op);
    const uint32_t taps = (uint32_t)pool.window[0].kernel * pool.window[1].kernel;
    const uint8_t activation = bp_pool_activation(op);
    if (pool.batch != 1 || taps > MAX_TAPS || pool.channels > MAX_CHANNELS ||
        pool.y_height > MAX_POSITIONS / pool.y_width || activation > BP_ACT_RELU_N1_TO_1) {
        return BP_E_UNSUPPORTED;
    }
    layer->n_out = (uint16_t)pool.channels;
    layer->positions = (uint16_t)(pool.y_height * pool.y_width);
    layer->y_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 1));
    layer->activation = activation;
    layer->y_min = pool.y_min;
    layer->y_max = pool.y_max;
    if (pool.is_max && activation == BP_ACT_NONE && below != NULL) {
        layer->activation = below->activation;
        layer->y_min = below->y_min;
        layer->y_max = below->y_max;
    }
    layer->view = view_of(&pool, layer, below);
    if (pool.is_max && activation != BP_ACT_NONE) {
        layer->view = BP_VIEW_NONE;
    }
    return BP_OK;
}

int bp_train_is_plain_maximum(const bp_op_t *op) {
    return BP_TRAIN_HAS_OP(POOL_S8) && op->code == BP_OP_POOL_S8 && bp_pool_is_max(op) &&
           bp_pool_activation(op) == BP_ACT_NONE;
}

int bp_train_keeps_places(const bp_model_t *model, const bp_train_layer_t *layer) {
    bp_op_t op;
    bp_pool_t pool;
    bp_model_op(&op, model, layer->op);
    if (op.code != BP_OP_POOL_S8) {
        return 0;
    }
    bp_pool_record(&pool, model, &op);
    return pool.is_max;
}

static void read_op(bp_pool_t *pool, const bp_train_t *t, const bp_train_layer_t *layer) {
    bp_op_t op;
    bp_model_op(&op, &t->model, layer->op);
    bp_pool_record(pool, &t->model, &op);
}

/* ---- forward ---- */

void bp_train_pool_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                       const int8_t *x, int8_t *scratch) {
    bp_pool_t pool;
    (void)scratch;
    read_op(&pool, t, layer);
    if (pool.is_max) {
        bp_pool_places(y, (uint8_t *)bp_train_i8(t, layer->weights), x, &pool);
    } else {
        bp_pool_s8(y, x, &pool);
    }
}

/* ---- errors ---- */

/* A window of an output. */
typedef struct {
    bp_taps_t rows;
    bp_taps_t columns;
} patch_t;

/* Each channel's error to the place of its maximum. */
static void add_at_places(int32_t *h, const int16_t *delta, const uint8_t *places,
                          const bp_pool_t *p, uint32_t row, uint32_t column) {
    const int32_t top = (int32_t)(row * p->window[0].stride) - p->window[0].pad;
    const int32_t left = (int32_t)(column * p->window[1].stride) - p->window[1].pad;
    for (uint32_t c = 0; c < p->channels; ++c) {
        const uint32_t y = (uint32_t)(top + places[c] / p->window[1].kernel);
        const uint32_t x = (uint32_t)(left + places[c] % p->window[1].kernel);
        h[(size_t)((y * p->x_width + x) * p->channels + c)] += delta[c];
    }
}

/* Each channel's error, or its share, to all taps inside. */
static void add_to_all(int32_t *h, const int16_t *delta, const bp_pool_t *p, uint32_t row,
                       uint32_t column, int is_share) {
    const patch_t patch = {bp_window_taps(&p->window[0], row, p->x_height),
                           bp_window_taps(&p->window[1], column, p->x_width)};
    const uint32_t height = patch.rows.end - patch.rows.begin;
    const uint32_t width = patch.columns.end - patch.columns.begin;
    const bp_real_t share = bp_real_div(bp_real_from_u32(1), bp_real_from_u32(height * width));
    for (uint32_t i = 0; i < height * width; ++i) {
        const uint32_t y = patch.rows.at + i / width, x = patch.columns.at + i % width;
        int32_t *to = h + (size_t)((y * p->x_width + x) * p->channels);
        for (uint32_t c = 0; c < p->channels; ++c) {
            to[c] += is_share ? bp_real_apply(delta[c], share, BACKWARD_LIMIT) : delta[c];
        }
    }
}

static void add_up(int32_t *h, const bp_train_t *t, const bp_train_layer_t *layer,
                   const bp_pool_t *p) {
    const int16_t *delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
    const uint8_t *places = (const uint8_t *)bp_train_i8(t, layer->weights);
    const uint32_t n = p->x_height * p->x_width * p->channels;
    for (uint32_t i = 0; i < n; ++i) {
        h[i] = 0;
    }
    for (uint32_t row = 0; row < p->y_height; ++row) {
        for (uint32_t column = 0; column < p->y_width; ++column) {
            if (p->is_max) {
                add_at_places(h, delta, places, p, row, column);
            } else {
                add_to_all(h, delta, p, row, column, !divides_unit(p));
            }
            delta += p->channels;
            places += p->channels;
        }
    }
}

bp_real_t bp_train_pool_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_pool_t pool;
    read_op(&pool, t, layer);
    if (layer->view == BP_VIEW_NONE) {
        add_up(bp_train_sums_below(t, l), t, layer, &pool);
    }
    if (pool.is_max || !divides_unit(&pool)) {
        return unit;
    }
    const uint32_t taps = (uint32_t)pool.window[0].kernel * pool.window[1].kernel;
    return bp_real_div(unit, bp_real_from_u32(taps));
}
