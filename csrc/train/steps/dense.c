#include <byteprop/kernels.h>

#include "isa/isa.h"
#include "ops/dense.h"
#include "train/kernels/kernels.h"
#include "train/steps/steps.h"

enum { MAX_LAYER_OUTPUTS = 32767, MAX_BACKWARD_ROWS = 511 };
#define BACKWARD_LIMIT ((int32_t)1 << 15)
#define STEP_LIMIT ((int32_t)1 << 22)
#define BIAS_STEP_LIMIT ((int32_t)1 << 30)

bp_status_t bp_train_dense_read(bp_train_layer_t *layer, const bp_model_t *model,
                                const bp_op_t *op, const bp_train_layer_t *below) {
    bp_dense_record_t dense;
    (void)below;
    bp_dense_record(&dense, model, op);
    if (dense.rows != 1 || dense.n_out > MAX_LAYER_OUTPUTS ||
        dense.activation > BP_ACT_RELU_N1_TO_1 || BP_ROM_U8(op->params) != BP_LAYOUT_ROWS) {
        return BP_E_UNSUPPORTED;
    }
    layer->n_in = (uint16_t)dense.n_in;
    layer->n_out = (uint16_t)dense.n_out;
    layer->row_stride = (uint16_t)bp_row_stride(dense.n_in);
    layer->positions = 1;
    layer->x_zp = dense.x_zp;
    layer->y_zp = (int8_t)dense.y_zp;
    layer->y_min = (int8_t)dense.y_min;
    layer->y_max = (int8_t)dense.y_max;
    layer->per_channel = (dense.flags & BP_OP_PER_CHANNEL) != 0;
    layer->activation = dense.activation;
    return BP_OK;
}

void bp_train_dense_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                        const int8_t *x, int8_t *scratch) {
    (void)scratch;
    const bp_dense_s8_t dense = {
        .weights = bp_train_part(t, layer, layer->weights),
        .bias = bp_train_part(t, layer, layer->bias),
        .mult_q31 = t->model.image + (size_t)layer->mult_q31,
        .lshift = t->model.image + (size_t)layer->lshift,
        .n_in = layer->n_in,
        .n_out = layer->n_out,
        .row_stride = layer->row_stride,
        .per_channel = layer->per_channel,
        .y_zp = layer->y_zp,
        .y_min = layer->y_min,
        .y_max = layer->y_max,
    };
    bp_dense_s8(y, x, &dense);
}

/* ---- errors ---- */

/* By how many bits errors of n rows are shifted so that their products' sum fits 32 bits. */
static uint8_t spread_of(uint16_t n) {
    uint8_t spread = 0;
    while ((uint32_t)MAX_BACKWARD_ROWS << spread < n) {
        ++spread;
    }
    return spread;
}

static void shift_all(int32_t *scaled, uint16_t n, uint8_t rshift) {
    for (uint16_t j = 0; rshift != 0 && j < n; ++j) {
        scaled[j] = (scaled[j] + ((int32_t)1 << (rshift - 1))) >> rshift;
    }
}

/* Brings the rows' errors to one scale, small enough for their sum over the rows, in a copy,
 * because the layer's update needs them as they are; returns by how many bits they were shifted. */
static uint8_t scale_errors(const bp_train_t *t, const bp_train_layer_t *layer, int32_t *scaled) {
    const int32_t *delta = bp_train_i32(t, layer->delta);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        scaled[j] = delta[j];
    }
    uint8_t shift = 0;
    if (layer->last && !bp_train_has_classes(t)) {
        shift = bp_block_scale(scaled, layer->n_out);
    }
    for (uint16_t j = 0; layer->per_channel && j < layer->n_out; ++j) {
        bp_real_t ratio = bp_real_div(bp_weight_scale(t, layer, j), layer->weight_scale);
        scaled[j] = bp_real_apply(scaled[j], ratio, BACKWARD_LIMIT);
    }
    uint8_t spread = spread_of(layer->n_out);
    shift_all(scaled, layer->n_out, spread);
    return (uint8_t)(shift + spread);
}

bp_real_t bp_train_dense_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    BP_ISA_BEGIN
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    int32_t *scaled = bp_train_i32(t, t->backward);
    const uint8_t shift = scale_errors(t, layer, scaled);
    BP_ISA_BACKWARD(bp_train_sums_below(t, l), scaled,
                    (const int8_t *)bp_train_part(t, layer, layer->weights), layer->row_stride,
                    layer->n_in, layer->n_out);
    return bp_real_scale(bp_real_mul(unit, layer->weight_scale), shift);
}

/* ---- update ---- */

static bp_row_change_t change_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                                  const int8_t *x, int32_t c) {
    BP_ISA_BEGIN
    const size_t row = (size_t)j * layer->row_stride;
    int8_t *wh = bp_train_weights(t, layer) + row;
    int8_t *wl = bp_train_residual_row(t, layer, row);
    bp_rounding_t rounding = bp_train_rounding(t, layer, j);
    return wl == NULL ? bp_sgd_row_s8(wh, x, layer->x_zp, layer->n_in, c, rounding)
                      : BP_ISA_SGD_ROW(wh, wl, x, layer->x_zp, layer->n_in, c, rounding);
}

/* Batch 1 without momentum: straight from the error to the weights. */
static void update_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                       const int8_t *x, int32_t c, int32_t bias_change) {
    bp_row_change_t change = {0, 0};
    if (c != 0) {
        change = change_row(t, layer, j, x, c);
    }
    bp_train_head(t)->counters.saturated_weights += change.saturated;
    bp_train_set_bias(t, layer, j, bias_change, change.weight_sum_change);
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

void bp_train_dense_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const int32_t *delta = bp_train_i32(t, layer->delta);
    bp_train_step_t step = bp_train_step(t, layer, 0, rate);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        if (delta[j] == 0) {
            continue;
        }
        if (layer->per_channel) {
            step = bp_train_step(t, layer, j, rate);
        }
        int32_t c = bp_real_apply(delta[j], step.weight, STEP_LIMIT);
        int32_t bias_change = bp_real_apply(delta[j], step.bias, BIAS_STEP_LIMIT);
        bp_train_head(t)->counters.vanished += c == 0;
        if (bp_train_has_gradient(layer)) {
            accumulate_row(t, layer, j, x, c, bias_change);
        } else {
            update_row(t, layer, j, x, c, bias_change);
        }
    }
}
