#include "isa/isa.h"
#include "train/kernels/kernels.h"
#include "train/state.h"

#define STEP_LIMIT ((int32_t)1 << 22)
#define BIAS_STEP_LIMIT ((int32_t)1 << 30)
/* A bias beyond this leaves its master no room. */
enum { BIAS_BITS = 23 };

/* ---- biases ---- */

static int32_t sum_of_row(const int8_t *weights, uint16_t n) {
    int32_t sum = 0;
    for (uint16_t i = 0; i < n; ++i) {
        sum += weights[i];
    }
    return sum;
}

/* The bias that the accumulator takes. */
static int32_t bias_of(int32_t master) {
    return (int32_t)(((int64_t)master + 128) >> 8);
}

void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    const int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *row = bp_train_weights(t, layer);
    uint8_t *bias = bp_train_written(t, layer, layer->bias);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j, row += layer->row_stride) {
        uint32_t sum = (uint32_t)sum_of_row(row, layer->n_in);
        bp_image_put_u32(bias, (uint32_t)4 * j, (uint32_t)bias_of(master[j]) - x_zp * sum);
    }
}

bp_status_t bp_train_unfold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *row = (const int8_t *)bp_train_part(t, layer, layer->weights);
    const uint8_t *biases = bp_train_part(t, layer, layer->bias);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j, row += layer->row_stride) {
        uint32_t folded = bp_image_u32(biases, (uint32_t)4 * j);
        int32_t bias = (int32_t)(folded + x_zp * (uint32_t)sum_of_row(row, layer->n_in));
        if (bias >= (int32_t)1 << BIAS_BITS || bias <= -((int32_t)1 << BIAS_BITS)) {
            return BP_E_PARAM;
        }
        master[j] = bias * 256;
    }
    return BP_OK;
}

static void set_bias(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j, int32_t change,
                     int32_t weight_sum_change) {
    int32_t *master = bp_train_i32(t, layer->bias_master) + j;
    uint8_t *bias = bp_train_written(t, layer, layer->bias + (uint32_t)4 * j);
    int32_t before = bias_of(*master);
    *master = bp_saturated((int64_t)*master - change, BP_MASTER_LIMIT);
    uint32_t moved = (uint32_t)bias_of(*master) - (uint32_t)before -
                     (uint32_t)(int32_t)layer->x_zp * (uint32_t)weight_sum_change;
    if (moved != 0) {
        bp_image_put_u32(bias, 0, bp_image_u32(bias, 0) + moved);
    }
}

/* ---- rows ---- */

/* From a row's error to the change of its weights (per unit of input) and of its bias. */
typedef struct {
    bp_real_t weight;
    bp_real_t bias;
} step_t;

static step_t make_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                        bp_real_t rate) {
    step_t step = {bp_real_mul(bp_train_weight_step(t, layer, j), rate),
                   bp_real_mul(bp_train_bias_step(t, layer, j), rate)};
    return step;
}

static bp_rounding_t rounding_of(const bp_train_t *t, uint16_t l, uint16_t j) {
    return bp_rounding_of(t->config.seed, bp_train_head(t)->counters.steps,
                          (uint32_t)t->first_layer + l, j, t->config.flags & BP_TRAIN_NEAREST);
}

static int8_t *residual_row(const bp_train_t *t, const bp_train_layer_t *layer, size_t row) {
    return layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual) + row;
}

static bp_row_change_t change_row(const bp_train_t *t, uint16_t l, uint16_t j, const int8_t *x,
                                  int32_t c) {
    BP_ISA_BEGIN
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    size_t row = (size_t)j * layer->row_stride;
    int8_t *wh = bp_train_weights(t, layer) + row;
    int8_t *wl = residual_row(t, layer, row);
    bp_rounding_t rounding = rounding_of(t, l, j);
    return wl == NULL ? bp_sgd_row_s8(wh, x, layer->x_zp, layer->n_in, c, rounding)
                      : BP_ISA_SGD_ROW(wh, wl, x, layer->x_zp, layer->n_in, c, rounding);
}

/* Batch 1 without momentum: straight from the error to the weights. */
static void update_row(const bp_train_t *t, uint16_t l, uint16_t j, const int8_t *x, int32_t c,
                       int32_t bias_change) {
    bp_row_change_t change = {0, 0};
    if (c != 0) {
        change = change_row(t, l, j, x, c);
    }
    bp_train_head(t)->counters.saturated_weights += change.saturated;
    set_bias(t, bp_train_layer(t, l), j, bias_change, change.weight_sum_change);
}

static void accumulate_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                           const int8_t *x, int32_t c, int32_t bias_change) {
    int32_t *bias = bp_train_i32(t, layer->bias_gradient) + j;
    if (c != 0) {
        bp_accumulate_row(bp_train_i32(t, layer->gradient) + (size_t)j * layer->row_stride, x,
                          layer->x_zp, layer->n_in, c);
    }
    *bias = bp_gradient_add(*bias, bias_change);
}

void bp_train_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const int32_t *delta = bp_train_i32(t, layer->delta);
    step_t step = make_step(t, layer, 0, rate);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        if (delta[j] == 0) {
            continue;
        }
        if (layer->per_channel) {
            step = make_step(t, layer, j, rate);
        }
        int32_t c = bp_real_apply(delta[j], step.weight, STEP_LIMIT);
        int32_t bias_change = bp_real_apply(delta[j], step.bias, BIAS_STEP_LIMIT);
        bp_train_head(t)->counters.vanished += c == 0;
        if (bp_train_has_gradient(layer)) {
            accumulate_row(t, layer, j, x, c, bias_change);
        } else {
            update_row(t, l, j, x, c, bias_change);
        }
    }
}

/* ---- batches and momentum ---- */

static void clear_row(int32_t *g, uint16_t n, int32_t *bias) {
    for (uint16_t i = 0; i < n; ++i) {
        g[i] = 0;
    }
    *bias = 0;
}

void bp_train_apply_gradient(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        size_t row = (size_t)j * layer->row_stride;
        int32_t *g = bp_train_i32(t, layer->gradient) + row;
        bp_row_change_t change =
            bp_sgd_row_from(bp_train_weights(t, layer) + row, residual_row(t, layer, row), g,
                            layer->n_in, rounding_of(t, l, j));
        bp_train_head(t)->counters.saturated_weights += change.saturated;
        set_bias(t, layer, j, bias[j], change.weight_sum_change);
        if (t->config.momentum_shift == 0) {
            clear_row(g, layer->n_in, bias + j);
        }
    }
}

void bp_train_decay(const bp_train_t *t, const bp_train_layer_t *layer) {
    int32_t *g = bp_train_i32(t, layer->gradient);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient);
    uint32_t n = (uint32_t)layer->n_out * layer->row_stride;
    for (uint32_t i = 0; i < n; ++i) {
        g[i] = bp_gradient_decay(g[i], t->config.momentum_shift);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bias[j] = bp_gradient_decay(bias[j], t->config.momentum_shift);
    }
}
