/* What training keeps: internal to csrc (the device program declares a bp_train_t). */
#ifndef BYTEPROP_TRAIN_STATE_H
#define BYTEPROP_TRAIN_STATE_H

#include <byteprop/train.h>
#include <stddef.h>

#include "train/real.h"

/* One dense layer. Places are offsets, in the image or in the memory, so that the record has the
 * same size on every machine. In the memory 0 stands for nothing: the counters lie there. */
typedef struct {
    /* image */
    uint32_t weights;
    uint32_t bias; /* folded, int32 */
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
    uint16_t op;
    uint16_t x_tensor;
    uint16_t y_tensor;
    uint16_t n_in;
    uint16_t n_out;
    uint16_t row_stride;
    uint8_t per_channel;
    uint8_t activation;
    uint8_t frozen;
    uint8_t last;
} bp_train_layer_t;

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

/* Fills the layers' records; model, config, memory and state_bytes are set (plan.c). */
int bp_train_lay_out(bp_train_t *t);

/* Fields of the image, which lies in RAM while it is trained. */
uint32_t bp_image_u32(const uint8_t *image, uint32_t offset);
void bp_image_put_u32(uint8_t *image, uint32_t offset, uint32_t value);
/* Where the scale of a tensor stands in the image. */
uint32_t bp_image_scale_offset(const bp_model_t *model, uint16_t tensor);
bp_real_t bp_tensor_scale(const bp_train_t *t, uint16_t tensor);
/* Scale of row j's weights. */
bp_real_t bp_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

/* Bias as the accumulator takes it, from its master: (B + 128) >> 8. */
int32_t bp_bias_of(int32_t master);
/* Writes the folded biases of a layer anew, from masters and weights. */
void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer);
/* Revises the scales when a window has ended (window.c). */
void bp_train_window(bp_train_t *t);

#endif
