#include <byteprop/infer.h>

#include "train/state.h"

/* One sample: forward, loss, backward, update. docs/numerics.md has the equations. */

static int forward_and_loss(const bp_train_t *t, bp_train_result_t *result, bp_real_t *unit,
                            const int8_t *x, uint16_t label, const int32_t *target, int training) {
    uint16_t last = (uint16_t)(t->n_layers - 1);
    int classes = bp_train_is_classifier(t);
    if (classes ? label >= bp_train_layer(t, last)->n_out : target == NULL) {
        return BP_E_ARG;
    }
    bp_train_forward(t, x, training);
    const int8_t *features = bp_train_input(t, last, x);
    *unit = classes ? bp_train_cross_entropy(t, result, features, label, training)
                    : bp_train_squared_error(t, result, features, target);
    return BP_OK;
}

/* A leading QUANTIZE; else the input is used where it is. */
static const int8_t *quantized(const bp_train_t *t, const uint8_t *x) {
    if (BP_TRAIN_ONE_LAYER || t->rescale_op == BP_TRAIN_NONE) {
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

static void decay_velocities(const bp_train_t *t) {
    for (uint16_t l = t->lowest; l < t->n_layers; ++l) {
        if (bp_train_has_gradient(bp_train_layer(t, l))) {
            bp_train_decay(t, bp_train_layer(t, l));
        }
    }
}

static void finish_step(bp_train_t *t) {
    bp_train_head_t *head = bp_train_head(t);
    for (uint16_t l = t->lowest; l < t->n_layers; ++l) {
        if (bp_train_has_gradient(bp_train_layer(t, l))) {
            bp_train_apply_gradient(t, l);
        }
    }
    head->batch_fill = 0;
    ++head->counters.steps;
    if (bp_train_has_window(t) && ++head->window_steps >= t->config.window) {
        bp_train_window(t);
    }
}

static bp_real_t rate_of(const bp_train_t *t, uint32_t lr_q24) {
    bp_real_t rate = bp_real_scale(bp_real_from_u32(lr_q24), -24);
    /* Division by 1 changes nothing and costs as much as any other. */
    return t->config.batch == 1 ? rate : bp_real_div(rate, bp_real_from_u32(t->config.batch));
}

/* From the last layer down to the lowest that is trained; unit: of the last layer's errors. */
static void learn_layers(const bp_train_t *t, const int8_t *x, bp_real_t unit, bp_real_t rate) {
    for (uint16_t l = t->n_layers; l > t->lowest;) {
        --l;
        /* The errors go down before the weights change. */
        int goes_down = !BP_TRAIN_ONE_LAYER && l > t->lowest;
        bp_real_t below = goes_down ? bp_train_backward(t, l, unit) : unit;
        if (!bp_train_layer(t, l)->frozen) {
            bp_train_learn(t, l, bp_train_input(t, l, x), bp_real_mul(rate, unit));
        }
        unit = below;
    }
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
    if (t->config.momentum_shift != 0 && head->batch_fill == 0) {
        decay_velocities(t);
    }
    learn_layers(t, input, unit, rate_of(t, lr_q24));
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
        size_t i = (size_t)(order == NULL ? k : order[k]);
        const uint8_t *sample = x + i * (size_t)x_bytes;
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
