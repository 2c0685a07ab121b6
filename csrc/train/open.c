#include <byteprop/config.h>
#include <byteprop/link.h>

#include "train/kernels.h"
#include "train/state.h"

/* A bias beyond this leaves its master no room. */
enum { BIAS_BITS = 23, CRC_AT = 12, CRC_FROM = 16 };

typedef char train_fits[sizeof(bp_train_t) <= BP_TRAIN_BYTES ? 1 : -1];

uint32_t bp_train_sizeof(void) {
    return (uint32_t)sizeof(bp_train_t);
}

static void clear(uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        bytes[i] = 0;
    }
}

static int32_t sum_of_row(const int8_t *weights, uint16_t n) {
    int32_t sum = 0;
    for (uint16_t i = 0; i < n; ++i) {
        sum += weights[i];
    }
    return sum;
}

int32_t bp_bias_of(int32_t master) {
    return (int32_t)(((int64_t)master + 128) >> 8);
}

void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    const int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *row = bp_train_weights(t, layer);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j, row += layer->row_stride) {
        uint32_t sum = (uint32_t)sum_of_row(row, layer->n_in);
        bp_image_put_u32(t->image, layer->bias + (uint32_t)4 * j,
                         (uint32_t)bp_bias_of(master[j]) - x_zp * sum);
    }
}

/* The masters of a layer from the image's folded biases. */
static int unfold_biases(const bp_train_t *t, const bp_train_layer_t *layer) {
    int32_t *master = bp_train_i32(t, layer->bias_master);
    const int8_t *row = bp_train_weights(t, layer);
    uint32_t x_zp = (uint32_t)(int32_t)layer->x_zp;
    for (uint16_t j = 0; j < layer->n_out; ++j, row += layer->row_stride) {
        uint32_t folded = bp_image_u32(t->image, layer->bias + (uint32_t)4 * j);
        int32_t bias = (int32_t)(folded + x_zp * (uint32_t)sum_of_row(row, layer->n_in));
        if (bias >= (int32_t)1 << BIAS_BITS || bias <= -((int32_t)1 << BIAS_BITS)) {
            return BP_E_PARAM;
        }
        master[j] = bias * 256;
    }
    return BP_OK;
}

int bp_train_open(bp_train_t *t, uint8_t *image, uint32_t image_bytes,
                  const bp_train_config_t *config, uint8_t *memory, uint32_t memory_bytes) {
    uint32_t needed;
    uint16_t op;
    *t = (bp_train_t){0};
    int status = bp_model_open(&t->model, image, image_bytes);
    if (status == BP_OK) {
        status = bp_train_plan(&needed, &t->state_bytes, &op, &t->model, config);
    }
    if (status == BP_OK && needed > memory_bytes) {
        status = BP_E_SPACE;
    }
    if (status != BP_OK) {
        return status;
    }
    t->image = image;
    t->memory = memory;
    t->memory_bytes = needed;
    t->config = *config;
    clear(memory, needed);
    status = bp_train_lay_out(t);
    for (uint16_t l = 0; l < t->n_layers && status == BP_OK; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        bp_train_constants(t, bp_train_layer(t, l));
        status = unfold_biases(t, layer);
        if (!layer->frozen) {
            bp_image_set_has_bias(image, &t->model, layer->op);
        }
    }
    return status;
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
static int check_state(const bp_train_t *t, const bp_train_layer_t *layer) {
    uint32_t weights = (uint32_t)layer->n_out * layer->row_stride;
    if (!is_within(bp_train_i32(t, layer->bias_master), layer->n_out, BP_MASTER_LIMIT)) {
        return BP_E_ARG;
    }
    if (!bp_train_has_gradient(layer)) {
        return BP_OK;
    }
    return is_within(bp_train_i32(t, layer->gradient), weights, BP_GRADIENT_LIMIT) &&
                   is_within(bp_train_i32(t, layer->bias_gradient), layer->n_out, BP_MASTER_LIMIT)
               ? BP_OK
               : BP_E_ARG;
}

int bp_train_resume(bp_train_t *t) {
    const bp_train_head_t *head = bp_train_head(t);
    int status = head->batch_fill < t->config.batch &&
                         (head->window_steps == 0 || head->window_steps < t->config.window)
                     ? BP_OK
                     : BP_E_ARG;
    for (uint16_t l = 0; l < t->n_layers && status == BP_OK; ++l) {
        status = check_state(t, bp_train_layer(t, l));
        if (status == BP_OK) {
            bp_train_fold_biases(t, bp_train_layer(t, l));
        }
    }
    return status;
}

void bp_train_seal(bp_train_t *t) {
    t->model.crc32 = bp_crc32(0, t->image + CRC_FROM, t->model.image_bytes - CRC_FROM);
    bp_image_put_u32(t->image, CRC_AT, t->model.crc32);
}

void bp_train_counters(bp_train_counters_t *counters, const bp_train_t *t) {
    *counters = bp_train_head(t)->counters;
}
