/* What training keeps: internal to csrc (the device program declares a bp_train_t). */
#ifndef BYTEPROP_TRAIN_STATE_H
#define BYTEPROP_TRAIN_STATE_H

#include <byteprop/train.h>
#include <stddef.h>

#include "train/real.h"

/* Firmware for the smallest boards leaves out what the regression of one layer, sample by sample,
 * does not need: other models and configurations are E_UNSUPPORTED there. */
#ifndef BP_TRAIN_ONE_LAYER
#define BP_TRAIN_ONE_LAYER 0
#endif

#define BP_TRAIN_NONE 0xFFFF /* an int of 16 bits could not be an enumerator of it */

/* One dense layer. Places are offsets, in the image or in the memory, so that the record has the
 * same size on every machine, as its last field sees to. In the memory 0 stands for nothing: the
 * counters lie there. */
typedef struct {
    /* image */
    uint32_t weights;
    uint32_t bias; /* folded, int32 */
    uint32_t mult_q31;
    uint32_t lshift;
    uint32_t weight_scales; /* float32 */
    /* memory, state */
    uint32_t bias_master;   /* int32 [n_out] */
    uint32_t range;         /* bp_range_t */
    uint32_t residual;      /* int8 [n_out][row_stride] */
    uint32_t gradient;      /* int32 [n_out][row_stride]: batch above 1, or momentum */
    uint32_t bias_gradient; /* int32 [n_out] */
    /* memory, scratch */
    uint32_t y;     /* int8 [n_out]; the last layer has none */
    uint32_t delta; /* int32 [n_out] */
    /* What follows from the scales (constants.c); of row 0 where there is one scale a row. */
    bp_real_t weight_scale; /* the largest */
    bp_real_t weight_step;  /* s_x / s_w * 2^24 */
    bp_real_t bias_step;    /* 2^8 / (s_x * s_w) */
    bp_real_t to_loss;      /* last layer: from the accumulator to the unit of the loss */
    uint16_t op;
    uint16_t x_tensor;
    uint16_t y_tensor;
    uint16_t n_in;
    uint16_t n_out;
    uint16_t row_stride;
    int16_t x_zp;
    int8_t y_zp;
    int8_t y_min;
    int8_t y_max;
    uint8_t per_channel;
    uint8_t activation;
    uint8_t frozen;
    uint8_t last;
    uint8_t filler[3];
} bp_train_layer_t;

typedef char bp_train_layer_has_one_size[sizeof(bp_train_layer_t) == 104 ? 1 : -1];

/* The head of the state block: the same on every machine, little-endian as all of them are. */
typedef struct {
    bp_train_counters_t counters;
    uint32_t batch_fill;     /* samples in the batch that is not updated yet */
    uint32_t window_steps;   /* updates since the scales were revised */
    uint32_t window_samples; /* samples since then */
} bp_train_head_t;

/* How much of its range a layer's output used since the scales were revised. */
typedef struct {
    uint32_t saturated;
    int32_t largest;
} bp_range_t;

struct bp_train {
    uint8_t *image;
    uint8_t *memory;
    bp_model_t model;
    bp_train_config_t config;
    uint32_t layers;   /* in memory: bp_train_layer_t [n_layers] */
    uint32_t input;    /* in memory: int8 input after a leading QUANTIZE; 0: none */
    uint32_t backward; /* in memory: int32 [widest layer above the first], scaled errors */
    uint32_t memory_bytes;
    uint32_t state_bytes;
    uint16_t rescale_op; /* of a leading QUANTIZE; 0xFFFF: none */
    uint16_t softmax_op; /* 0xFFFF: none, the loss is MSE */
    uint16_t n_layers;
    uint16_t lowest; /* the lowest layer that is trained; n_layers when all are frozen */
};

static inline bp_train_head_t *bp_train_head(const bp_train_t *t) {
    return (bp_train_head_t *)(void *)t->memory;
}
static inline bp_train_layer_t *bp_train_layer(const bp_train_t *t, uint16_t index) {
    return (bp_train_layer_t *)(void *)(t->memory + (size_t)t->layers) + index;
}
static inline int32_t *bp_train_i32(const bp_train_t *t, uint32_t place) {
    return (int32_t *)(void *)(t->memory + (size_t)place);
}
static inline int8_t *bp_train_i8(const bp_train_t *t, uint32_t place) {
    return (int8_t *)(t->memory + (size_t)place);
}
static inline bp_range_t *bp_train_range(const bp_train_t *t, const bp_train_layer_t *layer) {
    return (bp_range_t *)(void *)(t->memory + (size_t)layer->range);
}
static inline int8_t *bp_train_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    return (int8_t *)(t->image + (size_t)layer->weights);
}

/* Input of a layer: the output of the one below, or the sample. */
static inline const int8_t *bp_train_input(const bp_train_t *t, uint16_t l, const int8_t *x) {
    return l == 0 ? x : bp_train_i8(t, bp_train_layer(t, (uint16_t)(l - 1))->y);
}
static inline int bp_train_is_classifier(const bp_train_t *t) {
    return !BP_TRAIN_ONE_LAYER && t->softmax_op != BP_TRAIN_NONE;
}
static inline int bp_train_has_window(const bp_train_t *t) {
    return !BP_TRAIN_ONE_LAYER && t->config.window != 0;
}
static inline int bp_train_has_gradient(const bp_train_layer_t *layer) {
    return !BP_TRAIN_ONE_LAYER && layer->gradient != 0;
}

/* Fills the layers' records; model, config, memory and state_bytes are set (plan.c). */
int bp_train_lay_out(bp_train_t *t);
/* What training writes in the image lies apart from everything else there (regions.c). */
int bp_train_check_regions(const bp_model_t *model);
/* No tensor is written by two ops (regions.c). */
int bp_train_check_tensors(const bp_model_t *model);

/* Fields of the image, which lies in RAM while it is trained. */
uint32_t bp_image_u32(const uint8_t *image, uint32_t offset);
void bp_image_put_u32(uint8_t *image, uint32_t offset, uint32_t value);
/* A dense op that had no bias, which is one of zeros, has one from now on. */
void bp_image_set_has_bias(uint8_t *image, const bp_model_t *model, uint16_t op);
/* Where the scale of a tensor stands in the image. */
uint32_t bp_image_scale_offset(const bp_model_t *model, uint16_t tensor);
bp_real_t bp_tensor_scale(const bp_train_t *t, uint16_t tensor);
/* Scale of row j's weights. */
bp_real_t bp_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

/* Derives a layer's constants from its scales. */
void bp_train_constants(const bp_train_t *t, bp_train_layer_t *layer);
/* The same multipliers for row j: of the layer, or derived where there is one scale a row. */
bp_real_t bp_train_weight_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);
bp_real_t bp_train_bias_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);
bp_real_t bp_train_to_loss(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

/* Bias as the accumulator takes it, from its master: (B + 128) >> 8. Masters stay within the limit,
 * so that this never leaves 24 bits. */
#define BP_MASTER_LIMIT (INT32_MAX - 255)
int32_t bp_bias_of(int32_t master);
/* Writes the folded biases of a layer anew, from masters and weights. */
void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer);

/* The parts of a sample, in their order. training: 0 leaves no trace. */
void bp_train_forward(const bp_train_t *t, const int8_t *x, int training);
/* Leaves the error in the last layer's delta and returns its unit. */
bp_real_t bp_train_cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 uint16_t label, int training);
bp_real_t bp_train_squared_error(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 const int32_t *target);
/* From the errors of layer l to those of the layer below; returns their unit. */
bp_real_t bp_train_backward(const bp_train_t *t, uint16_t l, bp_real_t unit);
/* A layer's part of the sample: updates it, or adds to its gradient. rate: of this sample, in the
 * unit of the errors. */
void bp_train_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate);
/* Updates a layer from its gradient or velocity. */
void bp_train_apply_gradient(const bp_train_t *t, uint16_t l);
void bp_train_decay(const bp_train_t *t, const bp_train_layer_t *layer);
/* Revises the scales when a window has ended (window.c). */
void bp_train_window(bp_train_t *t);

#endif
