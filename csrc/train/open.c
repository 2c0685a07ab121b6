#include <byteprop/crc32.h>

#include "train/kernels/kernels.h"
#include "train/state.h"

/* A training's begin and end: from an image, from a state that was saved, to a sealed image. */

typedef char train_fits[sizeof(bp_train_t) <= BP_TRAIN_BYTES ? 1 : -1];

uint32_t bp_train_sizeof(void) {
    return (uint32_t)sizeof(bp_train_t);
}

static void clear(uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        bytes[i] = 0;
    }
}

static bp_status_t begin_layer(const bp_train_t *t, bp_train_layer_t *layer) {
    if (!bp_train_has_weights(layer)) {
        return BP_OK;
    }
    bp_train_constants(t, layer);
    BP_TRY(bp_train_unfold_biases(t, layer));
    if (!layer->copied && bp_train_changes(t, layer)) {
        uint8_t *flags = t->image + (size_t)bp_image_flags_offset(&t->model, layer->op);
        *flags = bp_image_trained_flags(*flags, layer);
    }
    return BP_OK;
}

bp_status_t bp_train_open(bp_train_t *t, uint8_t *image, uint32_t image_bytes,
                          const bp_train_config_t *config, uint8_t *memory, uint32_t memory_bytes,
                          uint8_t *arena) {
    uint16_t op;
    *t = (bp_train_t){0};
    BP_TRY(bp_model_open(&t->model, image, image_bytes));
    t->config = *config;
    BP_TRY(bp_train_plan_memory(t, &op, &t->model, config));
    if (t->memory_bytes > memory_bytes) {
        return BP_E_SPACE;
    }
    t->image = bp_train_in_flash(t) ? NULL : image;
    t->memory = memory;
    t->arena = arena;
    clear(memory, t->memory_bytes);
    bp_train_place_layers(t);
    if (bp_train_in_flash(t)) {
        bp_train_copy_layers(t);
    }
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        BP_TRY(begin_layer(t, bp_train_layer(t, l)));
    }
    return BP_OK;
}

static int is_within(const int32_t *values, uint32_t n, int32_t limit) {
    for (uint32_t i = 0; i < n; ++i) {
        if (values[i] > limit || values[i] < -limit) {
            return 0;
        }
    }
    return 1;
}

/* The arithmetic relies on these bounds, and the state comes from outside. */
static bp_status_t check_state(const bp_train_t *t, const bp_train_layer_t *layer) {
    if (!bp_train_has_weights(layer)) {
        return BP_OK;
    }
    if (!is_within(bp_train_i32(t, layer->bias_master), layer->n_out, BP_MASTER_LIMIT)) {
        return BP_E_ARG;
    }
    if (BP_TRAIN_HAS_FROZEN_PART && layer->copied) {
        BP_TRY(bp_train_check_copy(t, layer));
    }
    if (!bp_train_has_gradient(layer)) {
        return BP_OK;
    }
    return is_within(bp_train_i32(t, layer->gradient), bp_train_weight_count(layer),
                     BP_GRADIENT_LIMIT) &&
                   is_within(bp_train_i32(t, layer->bias_gradient), layer->n_out, BP_MASTER_LIMIT)
               ? BP_OK
               : BP_E_ARG;
}

bp_status_t bp_train_resume(bp_train_t *t) {
    const bp_train_head_t *head = bp_train_head(t);
    if (head->batch_fill >= t->config.batch ||
        (head->window_steps != 0 && head->window_steps >= t->config.window)) {
        return BP_E_ARG;
    }
    if (BP_TRAIN_HAS_KEPT && t->kept != 0 && !bp_train_kept_is_valid(t)) {
        return BP_E_ARG;
    }
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        BP_TRY(check_state(t, layer));
        if (bp_train_changes(t, layer)) {
            bp_train_fold_biases(t, layer);
        }
    }
    return BP_OK;
}

void bp_train_seal(bp_train_t *t) {
    if (bp_train_in_flash(t)) {
        bp_train_seal_flash(t);
        return;
    }
    t->model.crc32 =
        bp_crc32(0, t->image + BP_MODEL_CRC_FROM, t->model.image_bytes - BP_MODEL_CRC_FROM);
    bp_image_put_u32(t->image, BP_HEADER_CRC32, t->model.crc32);
}

void bp_train_counters(bp_train_counters_t *counters, const bp_train_t *t) {
    *counters = bp_train_head(t)->counters;
}
