#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/infer.h>
#include <byteprop/kernels.h>

#include "train/kernels.h"
#include "train/state.h"

/* One sample: forward, loss, backward, update. docs/numerics.md has the equations. */

enum { NONE = 0xFFFF, MAX_BACKWARD_ROWS = 511 };

#define LOGIT_LIMIT ((int32_t)1 << 23)
#define STEP_LIMIT ((int32_t)1 << 22)
#define ERROR_LIMIT ((int32_t)1 << 30)
#define BACKWARD_LIMIT ((int32_t)1 << 15)
#define MASTER_LIMIT (INT32_MAX - 255)

/* log2(e) */
static const bp_real_t log2_of_e = {1549082005, 1};

static int32_t saturated(int64_t x, int32_t limit) {
    return x > limit ? limit : (x < -(int64_t)limit ? -limit : (int32_t)x);
}

static int32_t zero_point_of(const bp_train_t *t, uint16_t tensor) {
    bp_tensor_t record;
    bp_model_tensor(&record, &t->model, tensor);
    return record.zero_point;
}

/* Input of a layer: the output of the one below, or the sample. */
static const int8_t *input_of(const bp_train_t *t, uint16_t l, const int8_t *x) {
    return l == 0 ? x : bp_train_i8(t, bp_train_layer(t, (uint16_t)(l - 1))->y);
}

/* ---- forward ---- */

static void note_outputs(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *y) {
    bp_range_t *range = bp_train_range(t, layer);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        int32_t used = (int32_t)y[j] - INT8_MIN; /* windows want this zero point */
        range->saturated += y[j] == INT8_MAX;
        range->largest = used > range->largest ? used : range->largest;
    }
}

/* Logits as inference would requantise them, before the clamp. */
static void note_logits(const bp_train_t *t, const bp_train_layer_t *layer, const int32_t *acc) {
    bp_range_t *range = bp_train_range(t, layer);
    bp_op_t op;
    bp_model_op(&op, &t->model, layer->op);
    int32_t mult_q31 = (int32_t)bp_image_u32(t->image, op.args[2]);
    int8_t lshift = (int8_t)t->image[(size_t)layer->lshift];
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        int32_t q = bp_requant(acc[j], mult_q31, lshift);
        uint32_t used = q < 0 ? 0u - (uint32_t)q : (uint32_t)q;
        range->saturated += used > INT8_MAX;
        range->largest =
            used > (uint32_t)range->largest ? (int32_t)(used & INT32_MAX) : range->largest;
    }
}

static void forward_hidden(const bp_train_t *t, const int8_t *x, int training) {
    for (uint16_t l = 0; l + 1 < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        int8_t *y = bp_train_i8(t, layer->y);
        bp_infer_op((uint8_t *)y, (const uint8_t *)input_of(t, l, x), &t->model, layer->op);
        if (training && t->config.window != 0) {
            note_outputs(t, layer, y);
        }
    }
}

/* ---- loss; leaves the error in the last layer's delta and returns its unit ---- */

static bp_real_t product_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return bp_real_mul(bp_tensor_scale(t, layer->x_tensor), bp_weight_scale(t, layer, j));
}

static bp_real_t cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                               uint16_t label, int training) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    int32_t *delta = bp_train_i32(t, layer->delta);
    bp_dense_acc_s8(delta, x, (const uint8_t *)bp_train_weights(t, layer),
                    t->image + (size_t)layer->bias, layer->row_stride, layer->n_in, layer->n_out);
    if (training && t->config.window != 0) {
        note_logits(t, layer, delta);
    }
    bp_real_t to_log2 = {0, 0};
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        if (j == 0 || layer->per_channel) {
            to_log2 = bp_real_scale(bp_real_mul(product_scale(t, layer, j), log2_of_e), 8);
        }
        delta[j] = bp_real_apply(delta[j], to_log2, LOGIT_LIMIT);
    }
    result->loss = bp_softmax_ce(delta, &result->predicted, layer->n_out, label);
    result->correct = result->predicted == label;
    return bp_real_scale(bp_real_from_u32(1), -15);
}

static void add_square(uint64_t *sum, int32_t error) {
    uint32_t size = error < 0 ? 0u - (uint32_t)error : (uint32_t)error;
    uint64_t square = (uint64_t)size * size;
    *sum = square > UINT64_MAX - *sum ? UINT64_MAX : *sum + square;
}

static bp_real_t squared_error(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                               const int32_t *target) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    int32_t *delta = bp_train_i32(t, layer->delta);
    const int32_t *master = bp_train_i32(t, layer->bias_master);
    int16_t x_zp = (int16_t)zero_point_of(t, layer->x_tensor);
    bp_real_t s_y = bp_tensor_scale(t, layer->y_tensor);
    bp_real_t to_output = {0, 0};
    result->loss = 0;
    result->predicted = 0;
    result->correct = 0;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        size_t row = (size_t)j * layer->row_stride;
        const int8_t *residual =
            layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual) + row;
        if (j == 0 || layer->per_channel) {
            to_output = bp_real_scale(bp_real_div(product_scale(t, layer, j), s_y), 8);
        }
        int64_t sum = master[j] + bp_dot_master(bp_train_weights(t, layer) + row, residual, x, x_zp,
                                                layer->n_in);
        int32_t bounded =
            sum < INT32_MIN ? INT32_MIN : (sum > INT32_MAX ? INT32_MAX : (int32_t)sum);
        int32_t y = bp_real_apply(bounded, to_output, ERROR_LIMIT);
        delta[j] = saturated((int64_t)y - target[j], INT32_MAX);
        add_square(&result->loss, delta[j]);
    }
    return bp_real_scale(bp_real_div(s_y, bp_real_from_u32(layer->n_out)), -15);
}

/* ---- backward ---- */

static bp_real_t largest_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer) {
    uint32_t largest = 0;
    uint16_t n = layer->per_channel ? layer->n_out : 1;
    for (uint16_t j = 0; j < n; ++j) {
        /* Positive floats are ordered as their bits are. */
        uint32_t bits = bp_image_u32(t->image, layer->weight_scales + (uint32_t)4 * j);
        largest = bits > largest ? bits : largest;
    }
    return bp_real_from_f32(largest);
}

/* Brings the rows' errors to one scale, in place, small enough that their sum over the rows fits 32
 * bits; returns by how many bits they were shifted. The layer has been updated already, or copied
 * its errors: they are not wanted any more. */
static uint8_t prepare_backward(const bp_train_t *t, const bp_train_layer_t *layer, int32_t *scaled,
                                bp_real_t s_w) {
    const int32_t *delta = bp_train_i32(t, layer->delta);
    uint8_t shift = 0;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        scaled[j] = delta[j];
    }
    if (layer->last && t->softmax_op == NONE) {
        shift = bp_block_scale(scaled, layer->n_out);
    }
    for (uint16_t j = 0; layer->per_channel && j < layer->n_out; ++j) {
        bp_real_t ratio = bp_real_div(bp_weight_scale(t, layer, j), s_w);
        scaled[j] = bp_real_apply(scaled[j], ratio, BACKWARD_LIMIT);
    }
    uint8_t spread = 0;
    while ((uint32_t)MAX_BACKWARD_ROWS << spread < layer->n_out) {
        ++spread;
    }
    for (uint16_t j = 0; spread != 0 && j < layer->n_out; ++j) {
        scaled[j] = (scaled[j] + ((int32_t)1 << (spread - 1))) >> spread;
    }
    return (uint8_t)(shift + spread);
}

static void mask_inactive(const bp_train_t *t, const bp_train_layer_t *below, int32_t *delta) {
    const int8_t *y = bp_train_i8(t, below->y);
    bp_op_t op;
    bp_model_op(&op, &t->model, below->op);
    int bounded_above = below->activation != BP_ACT_RELU;
    for (uint16_t i = 0; below->activation != BP_ACT_NONE && i < below->n_out; ++i) {
        if (y[i] == op.y_min || (bounded_above && y[i] == op.y_max)) {
            delta[i] = 0;
        }
    }
}

/* From the errors of layer l to those of the layer below, in their new unit. */
static bp_real_t backward(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_layer_t *below = bp_train_layer(t, (uint16_t)(l - 1));
    int32_t *dx = bp_train_i32(t, below->delta);
    int32_t *scaled = bp_train_i32(t, t->backward);
    bp_real_t s_w = largest_weight_scale(t, layer);
    uint8_t shift = prepare_backward(t, layer, scaled, s_w);
    bp_dense_backward_s8(dx, scaled, bp_train_weights(t, layer), layer->row_stride, layer->n_in,
                         layer->n_out);
    mask_inactive(t, below, dx);
    shift = (uint8_t)(shift + bp_block_scale(dx, layer->n_in));
    return bp_real_scale(bp_real_mul(unit, s_w), shift);
}

/* ---- update ---- */

typedef struct {
    bp_real_t weight; /* from delta to c */
    bp_real_t bias;
} step_t;

static step_t step_of(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                      bp_real_t rate) {
    bp_real_t s_x = bp_tensor_scale(t, layer->x_tensor);
    bp_real_t s_w = bp_weight_scale(t, layer, j);
    bp_real_t one = bp_real_from_u32(1);
    step_t step = {
        bp_real_mul(bp_real_scale(bp_real_div(s_x, s_w), 24), rate),
        bp_real_mul(bp_real_scale(bp_real_div(one, bp_real_mul(s_x, s_w)), 8), rate),
    };
    return step;
}

static void set_bias(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j, int32_t change,
                     int32_t weight_sum_change, int32_t x_zp) {
    int32_t *master = bp_train_i32(t, layer->bias_master) + j;
    uint32_t place = layer->bias + (uint32_t)4 * j;
    int32_t before = bp_bias_of(*master);
    *master = saturated((int64_t)*master - change, MASTER_LIMIT);
    uint32_t moved = (uint32_t)bp_bias_of(*master) - (uint32_t)before;
    bp_image_put_u32(t->image, place,
                     bp_image_u32(t->image, place) + moved -
                         (uint32_t)x_zp * (uint32_t)weight_sum_change);
}

static int8_t *residual_row(const bp_train_t *t, const bp_train_layer_t *layer, size_t row) {
    return layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual) + row;
}

/* Batch 1 without momentum: straight from delta to the weights. */
static void update_row(const bp_train_t *t, uint16_t l, uint16_t j, const int8_t *x, int16_t x_zp,
                       const step_t *step) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_train_counters_t *counters = &bp_train_head(t)->counters;
    int32_t delta = bp_train_i32(t, layer->delta)[j];
    int32_t c = bp_real_apply(delta, step->weight, STEP_LIMIT);
    bp_row_change_t change = {0, 0};
    if (c == 0) {
        ++counters->vanished;
    } else {
        size_t row = (size_t)j * layer->row_stride;
        int8_t *wh = bp_train_weights(t, layer) + row;
        int8_t *wl = residual_row(t, layer, row);
        bp_rounding_t rounding = bp_rounding_of(t->config.seed, counters->steps, l, j,
                                                t->config.flags & BP_TRAIN_NEAREST);
        change = wl == NULL ? bp_sgd_row_s8(wh, x, x_zp, layer->n_in, c, rounding)
                            : bp_sgd_row_s16(wh, wl, x, x_zp, layer->n_in, c, rounding);
    }
    counters->saturated_weights += change.saturated;
    set_bias(t, layer, j, bp_real_apply(delta, step->bias, ERROR_LIMIT), change.weight_sum_change,
             x_zp);
}

static void accumulate_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                           const int8_t *x, int16_t x_zp, const step_t *step) {
    int32_t delta = bp_train_i32(t, layer->delta)[j];
    int32_t c = bp_real_apply(delta, step->weight, STEP_LIMIT);
    int32_t *bias = bp_train_i32(t, layer->bias_gradient) + j;
    if (c == 0) {
        ++bp_train_head(t)->counters.vanished;
    } else {
        bp_accumulate_row(bp_train_i32(t, layer->gradient) + (size_t)j * layer->row_stride, x, x_zp,
                          layer->n_in, c);
    }
    *bias = bp_gradient_add(*bias, bp_real_apply(delta, step->bias, ERROR_LIMIT));
}

/* A layer's part of the sample: updates it, or adds to its gradient. */
static void learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const int32_t *delta = bp_train_i32(t, layer->delta);
    int16_t x_zp = (int16_t)zero_point_of(t, layer->x_tensor);
    step_t step = step_of(t, layer, 0, rate);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        if (delta[j] == 0) {
            continue;
        }
        if (layer->per_channel) {
            step = step_of(t, layer, j, rate);
        }
        if (layer->gradient == 0) {
            update_row(t, l, j, x, x_zp, &step);
        } else {
            accumulate_row(t, layer, j, x, x_zp, &step);
        }
    }
}

/* Updates a layer from its gradient or velocity. */
static void apply_gradient(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_train_counters_t *counters = &bp_train_head(t)->counters;
    int32_t *bias = bp_train_i32(t, layer->bias_gradient);
    int32_t x_zp = zero_point_of(t, layer->x_tensor);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        size_t row = (size_t)j * layer->row_stride;
        int32_t *g = bp_train_i32(t, layer->gradient) + row;
        bp_rounding_t rounding = bp_rounding_of(t->config.seed, counters->steps, l, j,
                                                t->config.flags & BP_TRAIN_NEAREST);
        bp_row_change_t change =
            bp_sgd_row_from(bp_train_weights(t, layer) + row, residual_row(t, layer, row), g,
                            layer->n_in, rounding);
        counters->saturated_weights += change.saturated;
        set_bias(t, layer, j, bias[j], change.weight_sum_change, x_zp);
        for (uint16_t i = 0; t->config.momentum_shift == 0 && i < layer->n_in; ++i) {
            g[i] = 0;
        }
        bias[j] = t->config.momentum_shift == 0 ? 0 : bias[j];
    }
}

static void decay(const bp_train_t *t, const bp_train_layer_t *layer) {
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

static void finish_step(bp_train_t *t) {
    bp_train_head_t *head = bp_train_head(t);
    for (uint16_t l = t->lowest; l < t->n_layers; ++l) {
        if (bp_train_layer(t, l)->gradient != 0) {
            apply_gradient(t, l);
        }
    }
    head->batch_fill = 0;
    ++head->counters.steps;
    if (t->config.window != 0 && ++head->window_steps >= t->config.window) {
        bp_train_window(t);
    }
}

/* ---- the sample ---- */

static int forward_and_loss(bp_train_t *t, bp_train_result_t *result, bp_real_t *unit,
                            const int8_t *x, uint16_t label, const int32_t *target, int training) {
    uint16_t last = (uint16_t)(t->n_layers - 1);
    int classes = t->softmax_op != NONE;
    if (classes ? label >= bp_train_layer(t, last)->n_out : target == NULL) {
        return BP_E_ARG;
    }
    forward_hidden(t, x, training);
    const int8_t *features = input_of(t, last, x);
    *unit = classes ? cross_entropy(t, result, features, label, training)
                    : squared_error(t, result, features, target);
    return BP_OK;
}

/* A leading QUANTIZE; else the input is used where it is. */
static const int8_t *quantized(const bp_train_t *t, const uint8_t *x) {
    if (t->rescale_op == NONE) {
        return (const int8_t *)x;
    }
    bp_infer_op((uint8_t *)bp_train_i8(t, t->input), x, &t->model, t->rescale_op);
    return bp_train_i8(t, t->input);
}

int bp_train_evaluate(bp_train_t *t, bp_train_result_t *result, const uint8_t *x, uint16_t label,
                      const int32_t *target) {
    bp_real_t unit;
    return forward_and_loss(t, result, &unit, quantized(t, x), label, target, 0);
}

int bp_train_sample(bp_train_t *t, bp_train_result_t *result, const uint8_t *x, uint16_t label,
                    const int32_t *target, uint32_t lr_q24) {
    bp_train_head_t *head = bp_train_head(t);
    bp_real_t unit;
    const int8_t *input = quantized(t, x);
    int status = forward_and_loss(t, result, &unit, input, label, target, 1);
    if (status != BP_OK) {
        return status;
    }
    bp_real_t rate = bp_real_div(bp_real_scale(bp_real_from_u32(lr_q24), -24),
                                 bp_real_from_u32(t->config.batch));
    for (uint16_t l = t->lowest; head->batch_fill == 0 && l < t->n_layers; ++l) {
        if (t->config.momentum_shift != 0 && bp_train_layer(t, l)->gradient != 0) {
            decay(t, bp_train_layer(t, l));
        }
    }
    for (uint16_t l = (uint16_t)(t->n_layers - 1); t->lowest < t->n_layers; --l) {
        /* The errors go down before the weights change. */
        bp_real_t below = l > t->lowest ? backward(t, l, unit) : unit;
        if (!bp_train_layer(t, l)->frozen) {
            learn(t, l, input_of(t, l, input), bp_real_mul(rate, unit));
        }
        if (l == t->lowest) {
            break;
        }
        unit = below;
    }
    ++head->counters.samples;
    ++head->window_samples;
    if (++head->batch_fill >= t->config.batch) {
        finish_step(t);
    }
    return BP_OK;
}

void bp_train_flush(bp_train_t *t) {
    if (bp_train_head(t)->batch_fill != 0) {
        finish_step(t);
    }
}

int bp_train_run(bp_train_t *t, bp_train_result_t *results, const uint8_t *x,
                 const uint16_t *labels, const int32_t *targets, const uint32_t *order,
                 const uint32_t *lr_q24, uint32_t n) {
    uint32_t x_bytes = bp_infer_input_bytes(&t->model);
    uint16_t n_out = bp_train_layer(t, (uint16_t)(t->n_layers - 1))->n_out;
    for (uint32_t k = 0; k < n; ++k) {
        size_t i = order == NULL ? k : order[k];
        const uint8_t *sample = x + i * x_bytes;
        uint16_t label = labels == NULL ? 0 : labels[i];
        const int32_t *target = targets == NULL ? NULL : targets + i * n_out;
        int status = lr_q24 == NULL
                         ? bp_train_evaluate(t, results + k, sample, label, target)
                         : bp_train_sample(t, results + k, sample, label, target, lr_q24[k]);
        if (status != BP_OK) {
            return status;
        }
    }
    return BP_OK;
}
