#include "train/kernels/kernels.h"
#include "train/state.h"

/* A bias beyond this leaves its master no room. */
enum { BIAS_BITS = 23 };

/* ---- biases ---- */

static int32_t sum_of_row(const bp_train_layer_t *layer, const int8_t *weights, uint16_t j) {
    const int8_t *row = weights + bp_train_row(layer, j);
    const size_t step = bp_train_row_step(layer);
    int32_t sum = 0;
    for (uint16_t i = 0; i < layer->n_in; ++i, row += step) {
        sum += *row;
    }
    return sum;
}

/* The bias that the accumulator takes. */
static int32_t bias_of(int32_t master) {
    return (int32_t)(((int64_t)master + 128) >> 8);
}

void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    const int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *weights = bp_train_weights(t, layer);
    uint8_t *bias = bp_train_written(t, layer, layer->bias);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        uint32_t sum = (uint32_t)sum_of_row(layer, weights, j);
        bp_image_put_u32(bias, (uint32_t)4 * j, (uint32_t)bias_of(master[j]) - x_zp * sum);
    }
}

bp_status_t bp_train_unfold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *weights = (const int8_t *)bp_train_part(t, layer, layer->weights);
    const uint8_t *biases = bp_train_part(t, layer, layer->bias);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        uint32_t folded = bp_image_u32(biases, (uint32_t)4 * j);
        int32_t bias = (int32_t)(folded + x_zp * (uint32_t)sum_of_row(layer, weights, j));
        if (bias >= (int32_t)1 << BIAS_BITS || bias <= -((int32_t)1 << BIAS_BITS)) {
            return BP_E_PARAM;
        }
        master[j] = bias * 256;
    }
    return BP_OK;
}

void bp_train_set_bias(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                       int32_t change, int32_t weight_sum_change) {
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

bp_train_step_t bp_train_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                              bp_real_t rate) {
    bp_train_step_t step = {bp_real_mul(bp_train_weight_step(t, layer, j), rate),
                            bp_real_mul(bp_train_bias_step(t, layer, j), rate)};
    return step;
}

bp_rounding_t bp_train_rounding(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return bp_rounding_of(t->config.seed, bp_train_head(t)->counters.steps, layer->number, j,
                          t->config.flags & BP_TRAIN_NEAREST);
}

int8_t *bp_train_residual_row(const bp_train_t *t, const bp_train_layer_t *layer, size_t row) {
    return layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual) + row;
}

/* g: what row j loses, from one weight to the next g_step. */
static void move_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                     const int32_t *g, size_t g_step, int32_t bias_change) {
    const size_t row = bp_train_row(layer, j);
    const bp_row_change_t change =
        bp_sgd_row_from(bp_train_weights(t, layer) + row, bp_train_residual_row(t, layer, row),
                        bp_train_row_step(layer), g, g_step, layer->n_in,
                        bp_train_rounding(t, layer, j));
    bp_train_head(t)->counters.saturated_weights += change.saturated;
    bp_train_set_bias(t, layer, j, bias_change, change.weight_sum_change);
}

static void add_to_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                       const int32_t *g, int32_t bias_change) {
    int32_t *sum = bp_train_i32(t, layer->gradient) + bp_train_row(layer, j);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient) + j;
    const size_t step = bp_train_row_step(layer);
    for (uint16_t i = 0; i < layer->n_in; ++i, sum += step) {
        *sum = bp_gradient_add(*sum, g[i]);
    }
    *bias = bp_gradient_add(*bias, bias_change);
}

void bp_train_learn_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                        const int32_t *g, int32_t bias_change) {
    if (bp_train_has_gradient(layer)) {
        add_to_row(t, layer, j, g, bias_change);
    } else {
        move_row(t, layer, j, g, 1, bias_change);
    }
}

/* ---- batches and momentum ---- */

static void clear(int32_t *values, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        values[i] = 0;
    }
}

void bp_train_apply_gradient(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    int32_t *g = bp_train_i32(t, layer->gradient);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        move_row(t, layer, j, g + bp_train_row(layer, j), bp_train_row_step(layer), bias[j]);
    }
    if (t->config.momentum_shift == 0) {
        clear(g, bp_train_weight_count(layer));
        clear(bias, layer->n_out);
    }
}

void bp_train_decay(const bp_train_t *t, const bp_train_layer_t *layer) {
    int32_t *g = bp_train_i32(t, layer->gradient);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient);
    const uint32_t n = bp_train_weight_count(layer);
    for (uint32_t i = 0; i < n; ++i) {
        g[i] = bp_gradient_decay(g[i], t->config.momentum_shift);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bias[j] = bp_gradient_decay(bias[j], t->config.momentum_shift);
    }
}
