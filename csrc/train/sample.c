#include <byteprop/infer.h>
#include <byteprop/kernels.h>

#include "train/steps/steps.h"

/* One sample: forward, loss, backward, update. docs/numerics.md has the equations. */

int bp_train_is_classifier(const bp_train_t *t) {
    return bp_train_has_classes(t);
}

int bp_train_is_autoencoder(const bp_train_t *t) {
    return bp_train_has_input_target(t);
}

/* ---- forward ---- */

static void record_outputs(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *y) {
    const uint32_t n = bp_train_outputs(layer);
    for (uint32_t j = 0; j < n; ++j) {
        bp_train_record_range(bp_train_range(t, layer), (int32_t)y[j] - layer->y_zp,
                              y[j] == layer->y_max);
    }
}

/* All layers behind the frozen part but the last, which belongs to the loss. Convolutions find their
 * scratch memory where errors will be. */
static void forward(const bp_train_t *t, const int8_t *x, int training) {
    int8_t *scratch = bp_train_i8(t, t->errors);
    for (uint16_t l = 0; BP_TRAIN_HAS_HIDDEN_LAYERS && l + 1 < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        int8_t *y = bp_train_i8(t, layer->y);
        if (BP_TRAIN_HAS_BRANCHES && bp_train_is_join(layer->code)) {
            bp_train_join(t, l, y, x);
        } else {
            bp_train_run_layer(t, layer, y, bp_train_input(t, l, x), scratch);
        }
        if (training && bp_train_has_window(t) && layer->range != 0) {
            record_outputs(t, layer, y);
        }
    }
}

static bp_status_t forward_and_loss(const bp_train_t *t, bp_train_result_t *result, bp_real_t *unit,
                                    const int8_t *x, uint16_t label, const int32_t *target,
                                    int training) {
    uint16_t last = (uint16_t)(t->n_layers - 1);
    int classes = bp_train_has_classes(t);
    const int has_target = target != NULL || bp_train_has_input_target(t);
    if (classes ? label >= bp_train_layer(t, last)->n_out : !has_target) {
        return BP_E_ARG;
    }
    forward(t, x, training);
    const int8_t *features = bp_train_input(t, last, x);
    *unit = classes ? bp_train_cross_entropy(t, result, features, label, training)
                    : bp_train_squared_error(t, result, features, target);
    return BP_OK;
}

/* What the first layer reads of a sample, whose input is kept where it is the target. */
static const int8_t *features_of(const bp_train_t *t, const uint8_t *x) {
    if (BP_TRAIN_HAS_AUTOENCODERS && bp_train_has_input_target(t)) {
        bp_train_keep_input(t, x);
    }
    return bp_train_features(t, x);
}

bp_status_t bp_train_judge_features(const bp_train_t *t, bp_train_result_t *result,
                                    const int8_t *features, uint16_t label) {
    bp_real_t unit;
    return forward_and_loss(t, result, &unit, features, label, NULL, 0);
}

bp_status_t bp_train_evaluate(bp_train_t *t, bp_train_result_t *result, const uint8_t *x,
                              uint16_t label, const int32_t *target) {
    bp_real_t unit;
    return forward_and_loss(t, result, &unit, features_of(t, x), label, target, 0);
}

/* ---- learning ---- */

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
        bp_train_rescale(t);
    }
}

static bp_real_t rate_of(const bp_train_t *t, uint32_t lr_q24) {
    bp_real_t rate = bp_real_scale(bp_real_from_u32(lr_q24), (int16_t)(-24 - t->config.rate_shift));
    /* Division by 1 changes nothing and costs as much as any other. */
    return t->config.batch == 1 ? rate : bp_real_div(rate, bp_real_from_u32(t->config.batch));
}

/* From the last layer down to the lowest that is trained; unit: of the last layer's errors. The errors
 * go down before the weights change. */
static void learn_layers(const bp_train_t *t, const int8_t *x, bp_real_t unit, bp_real_t rate) {
    for (uint16_t l = t->n_layers; l > t->lowest;) {
        --l;
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        const int goes_down = BP_TRAIN_HAS_HIDDEN_LAYERS && l > t->lowest;
        bp_real_t below = goes_down ? bp_train_down(t, l, unit) : unit;
        if (bp_train_has_weights(layer) && !layer->frozen) {
            bp_train_learn(t, l, bp_train_input(t, l, x), bp_real_mul(rate, unit));
        }
        if (goes_down) {
            below = bp_real_scale(below, bp_train_settle(t, (uint16_t)(l - 1)));
        }
        unit = below;
    }
}

bp_status_t bp_train_learn_features(bp_train_t *t, bp_train_result_t *result,
                                    const int8_t *features, uint16_t label, const int32_t *target,
                                    uint32_t lr_q24) {
    bp_train_head_t *head = bp_train_head(t);
    bp_real_t unit;
    BP_TRY(forward_and_loss(t, result, &unit, features, label, target, 1));
    if (t->config.momentum_shift != 0 && head->batch_fill == 0) {
        decay_velocities(t);
    }
    if (BP_TRAIN_HAS_BRANCHES && bp_train_has_branches(t)) {
        bp_train_learn_branches(t, features, unit, rate_of(t, lr_q24));
    } else {
        learn_layers(t, features, unit, rate_of(t, lr_q24));
    }
    ++head->counters.samples;
    ++head->window_samples;
    if (++head->batch_fill >= t->config.batch) {
        finish_step(t);
    }
    return BP_OK;
}

bp_status_t bp_train_sample(bp_train_t *t, bp_train_result_t *result, const uint8_t *x,
                            uint16_t label, const int32_t *target, uint32_t lr_q24) {
    return bp_train_learn_features(t, result, features_of(t, x), label, target, lr_q24);
}

void bp_train_flush(bp_train_t *t) {
    if (bp_train_head(t)->batch_fill != 0) {
        finish_step(t);
    }
}

bp_status_t bp_train_run(bp_train_t *t, bp_train_result_t *results, const uint8_t *x,
                         const uint16_t *labels, const int32_t *targets, const uint32_t *order,
                         const uint32_t *lr_q24, uint32_t n) {
    uint32_t x_bytes = bp_infer_input_bytes(&t->model);
    uint16_t n_out = bp_train_layer(t, (uint16_t)(t->n_layers - 1))->n_out;
    for (uint32_t k = 0; k < n; ++k) {
        size_t i = (size_t)(order == NULL ? k : order[k]);
        const uint8_t *sample = x + i * (size_t)x_bytes;
        uint16_t label = labels == NULL ? 0 : labels[i];
        const int32_t *target = targets == NULL ? NULL : targets + i * n_out;
        BP_TRY(lr_q24 == NULL ? bp_train_evaluate(t, results + k, sample, label, target)
                              : bp_train_sample(t, results + k, sample, label, target, lr_q24[k]));
    }
    return BP_OK;
}
