/* The records of training, internal to csrc/train, and the steps of a sample in their order. */
#ifndef BYTEPROP_TRAIN_STATE_H
#define BYTEPROP_TRAIN_STATE_H

#include <byteprop/train.h>
#include <stddef.h>

#include "train/real.h"

/* Firmware for the smallest boards is built with BP_TRAIN_ONE_LAYER and leaves out what the
 * regression of one layer, sample by sample, does not need. Other models and configurations are
 * E_UNSUPPORTED there. */
#ifndef BP_TRAIN_ONE_LAYER
#define BP_TRAIN_ONE_LAYER 0
#endif
enum {
    BP_TRAIN_HAS_HIDDEN_LAYERS = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_CLASSES = !BP_TRAIN_ONE_LAYER,  /* a softmax behind the last layer */
    BP_TRAIN_HAS_FROZEN_PART = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_QUANTIZE = !BP_TRAIN_ONE_LAYER, /* of the model's output */
    BP_TRAIN_HAS_BATCHES = !BP_TRAIN_ONE_LAYER,  /* and momentum */
    BP_TRAIN_HAS_AUTOENCODERS = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_RESCALING = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_KEPT = !BP_TRAIN_ONE_LAYER /* features, to learn from them again */
};

#define BP_TRAIN_NONE 0xFFFF /* an int of 16 bits could not be an enumerator of it */

/* One dense layer. Its data are named by offsets, in the image or in the memory, so that the record
 * has the same size on every machine; the padding at its end sees to that, too. Offset 0 in the
 * memory means 'absent': the counters are stored there. */
typedef struct {
    /* image; of a layer that is copied, memory */
    uint32_t weights;
    uint32_t bias; /* folded, int32 */
    /* image */
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
    /* What follows from the scales (constants.c); of row 0 where there is one scale per row. */
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
    uint8_t copied; /* the image stays in flash, and this layer's weights and biases are in memory */
    uint8_t padding[2];
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
    uint8_t *image; /* NULL when it stays in flash */
    uint8_t *memory;
    uint8_t *arena;
    bp_model_t model;
    bp_train_config_t config;
    uint32_t layers;   /* in memory: bp_train_layer_t [n_layers] */
    uint32_t backward; /* in memory: int32 [widest layer], scaled errors; 0: one layer needs none */
    uint32_t input;    /* in memory: uint8 [outputs], an autoencoder's input */
    uint32_t memory_bytes;
    uint32_t kept;  /* in memory, state: features that are kept; 0: none */
    uint32_t means; /* in memory: int32 [2][n_in], to imprint a row; there when features are kept */
    uint32_t copies;
    uint32_t state_bytes; /* with the copies at its end */
    uint16_t first_op;    /* the ops before it are the frozen part */
    uint16_t first_layer; /* dense layers in the frozen part */
    uint16_t features;    /* tensor that the first layer reads */
    uint16_t softmax_op;  /* 0xFFFF: none, the loss is MSE */
    uint16_t n_layers;    /* behind the frozen part */
    uint16_t lowest; /* the lowest layer that is trained; n_layers when all are frozen */
    uint8_t runs_frozen; /* 0: the sample is what the first layer reads */
};

static inline bp_train_head_t *bp_train_head(const bp_train_t *t) {
    return (bp_train_head_t *)(void *)t->memory;
}
static inline bp_train_layer_t *bp_train_layer(const bp_train_t *t, uint16_t index) {
    return (bp_train_layer_t *)(void *)(t->memory + (size_t)t->layers) + index;
}
static inline int32_t *bp_train_i32(const bp_train_t *t, uint32_t offset) {
    return (int32_t *)(void *)(t->memory + (size_t)offset);
}
static inline int8_t *bp_train_i8(const bp_train_t *t, uint32_t offset) {
    return (int8_t *)(t->memory + (size_t)offset);
}
static inline bp_range_t *bp_train_range(const bp_train_t *t, const bp_train_layer_t *layer) {
    return (bp_range_t *)(void *)(t->memory + (size_t)layer->range);
}
static inline int bp_train_in_flash(const bp_train_t *t) {
    return BP_TRAIN_HAS_FROZEN_PART && (t->config.flags & BP_TRAIN_IN_FLASH) != 0;
}
/* A layer's weights or folded biases, for inference. */
static inline const uint8_t *bp_train_part(const bp_train_t *t, const bp_train_layer_t *layer,
                                           uint32_t offset) {
    const int is_copied = BP_TRAIN_HAS_FROZEN_PART && layer->copied;
    const uint8_t *image = BP_TRAIN_HAS_FROZEN_PART ? t->model.image : t->image;
    return (is_copied ? t->memory : image) + (size_t)offset;
}
/* The same of a layer that is trained, to be written. */
static inline uint8_t *bp_train_written(const bp_train_t *t, const bp_train_layer_t *layer,
                                        uint32_t offset) {
    const int is_copied = BP_TRAIN_HAS_FROZEN_PART && layer->copied;
    return (is_copied ? t->memory : t->image) + (size_t)offset;
}
static inline int8_t *bp_train_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    return (int8_t *)bp_train_written(t, layer, layer->weights);
}

/* Input of a layer: the output of the one below, or the features. */
static inline const int8_t *bp_train_input(const bp_train_t *t, uint16_t l, const int8_t *x) {
    return l == 0 ? x : bp_train_i8(t, bp_train_layer(t, (uint16_t)(l - 1))->y);
}
static inline int bp_train_has_classes(const bp_train_t *t) {
    return BP_TRAIN_HAS_CLASSES && t->softmax_op != BP_TRAIN_NONE;
}
static inline int bp_train_has_input_target(const bp_train_t *t) {
    return BP_TRAIN_HAS_AUTOENCODERS && (t->config.flags & BP_TRAIN_AUTOENCODER) != 0;
}
static inline int bp_train_has_window(const bp_train_t *t) {
    return BP_TRAIN_HAS_RESCALING && t->config.window != 0;
}
/* Something of the layer changes: of a frozen one shifts and biases, when scales are revised. */
static inline int bp_train_changes(const bp_train_t *t, const bp_train_layer_t *layer) {
    return !layer->frozen || bp_train_has_window(t);
}
static inline int bp_train_has_gradient(const bp_train_layer_t *layer) {
    return BP_TRAIN_HAS_BATCHES && layer->gradient != 0;
}
/* An output's distance from its zero point, and whether it saturated. */
static inline void bp_train_record_range(bp_range_t *range, int32_t used, int saturated) {
    range->saturated += saturated != 0;
    range->largest = used > range->largest ? used : range->largest;
}

/* Dense layer `number` of the model is not trained. */
static inline int bp_train_is_frozen(const bp_train_config_t *config, uint32_t number) {
    return number < 32 && (config->frozen >> number & 1) != 0;
}

/* ---- frozen.c: the ops before the first layer that is trained ---- */

/* Finds where the frozen part ends. On failure *op is the index of the op that is the reason. */
bp_status_t bp_train_find_frozen(bp_train_t *t, uint16_t *op, const bp_model_t *model,
                                 const bp_train_config_t *config);
/* What the first layer reads, for a sample; x as in bp_train_sample. */
const int8_t *bp_train_features(const bp_train_t *t, const uint8_t *x);

/* ---- classes.c ---- */

/* The bias, in 1/256, of a row that is not in use; its weights are 0. */
#define BP_UNUSED_BIAS (-BP_MASTER_LIMIT)
/* Row j of the last layer is a class. */
int bp_train_is_used(const bp_train_t *t, uint16_t j);

/* ---- kept.c: features that are kept ---- */

/* Bytes of state for them. */
uint64_t bp_train_kept_bytes(const bp_train_config_t *config, uint16_t n_in);
/* Whether labels that may come from outside are those of classes. */
int bp_train_kept_is_valid(const bp_train_t *t);
/* The features of an entry, and its label; NULL if it is free. */
const int8_t *bp_train_kept(const bp_train_t *t, uint32_t entry, uint16_t *label);
/* Drops all that is kept of a class. */
void bp_train_forget(const bp_train_t *t, uint16_t label);

/* ---- autoencoder.c: the target is the input ---- */

bp_status_t bp_train_check_autoencoder(const bp_train_t *t, const bp_model_t *model,
                                       uint16_t n_out);
/* Copies the input of a sample; x as in bp_train_sample. */
void bp_train_keep_input(const bp_train_t *t, const uint8_t *x);
/* delta: outputs in the unit of targets, from which the kept input is taken away. */
void bp_train_input_errors(const bp_train_t *t, int32_t *delta, uint16_t n_out);

/* ---- flash.c: the image stays in flash ---- */

/* Fills the copies of weights and biases from the image. */
void bp_train_copy_layers(const bp_train_t *t);
/* E_ARG unless the copies, which may come from outside, are weights as the reader accepts them. */
/* Updates model.crc32 to that of the image as trained. */
void bp_train_seal_flash(bp_train_t *t);
bp_status_t bp_train_check_copy(const bp_train_t *t, const bp_train_layer_t *layer);

/* ---- layout.c, regions.c ---- */

/* Fills what the trainer needs to know of memory: bytes, layers. When the model cannot be trained,
 * *op is the index of the op that is the reason. */
bp_status_t bp_train_plan_memory(bp_train_t *t, uint16_t *op, const bp_model_t *model,
                                 const bp_train_config_t *config);
/* Fills the layers' records of a planned trainer; its model, config and memory are set. */
void bp_train_place_layers(bp_train_t *t);
/* E_BOUNDS unless what training writes in the image is stored apart from everything else there, the
 * data of the ops before first_op included. */
bp_status_t bp_train_check_regions(const bp_model_t *model, uint16_t first_op);
/* E_UNSUPPORTED if a tensor is written by two ops. */
bp_status_t bp_train_check_tensors(const bp_model_t *model);

/* ---- image.c: fields of the image, which is in RAM while it is trained ---- */

uint32_t bp_image_u32(const uint8_t *image, uint32_t offset);
int bp_is_normal_f32(uint32_t bits);
void bp_image_put_u32(uint8_t *image, uint32_t offset, uint32_t value);
/* Offset of a dense op's flags. */
uint32_t bp_image_flags_offset(const bp_model_t *model, uint16_t op);
/* What they are in training: not FAST, because weights, biases or shifts will change. Unless it is
 * frozen, it has a bias; until then it may have had none, which is one of zeros. */
uint8_t bp_image_trained_flags(uint8_t flags, uint8_t frozen);
/* Offset of a tensor's scale in the image. */
uint32_t bp_image_scale_offset(const bp_model_t *model, uint16_t tensor);
bp_real_t bp_tensor_scale(const bp_train_t *t, uint16_t tensor);
/* Scale of row j's weights. */
bp_real_t bp_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

/* ---- the steps of one sample, in order. training: 0 changes no state ---- */

/* sample.c: learns from what the first trained layer reads of a sample. */
bp_status_t bp_train_learn_features(bp_train_t *t, bp_train_result_t *result,
                                    const int8_t *features, uint16_t label, const int32_t *target,
                                    uint32_t lr_q24);

/* sample.c: a layer as inference computes it. */
void bp_train_run_layer(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                        const int8_t *x);

/* loss.c: leaves the error in the last layer's delta and returns its unit. */
bp_real_t bp_train_cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 uint16_t label, int training);
bp_real_t bp_train_squared_error(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 const int32_t *target);
/* backward.c: from the errors of layer l to those of the layer below; returns their unit. */
bp_real_t bp_train_backward(const bp_train_t *t, uint16_t l, bp_real_t unit);
/* update.c: a layer's part of the sample: updates it, or adds to its gradient. rate: of this
 * sample, in the unit of the errors. */
void bp_train_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate);
/* Updates a layer from its gradient or velocity. */
void bp_train_apply_gradient(const bp_train_t *t, uint16_t l);
void bp_train_decay(const bp_train_t *t, const bp_train_layer_t *layer);
/* rescale.c: revises the scales at the end of a window. */
void bp_train_rescale(bp_train_t *t);

/* ---- biases (update.c) ---- */

/* Masters stay within this, so that the bias that the accumulator takes, (master + 128) >> 8, never
 * leaves 24 bits. */
#define BP_MASTER_LIMIT (INT32_MAX - 255)
/* Writes a layer's folded biases, from masters and weights. */
void bp_train_fold_biases(const bp_train_t *t, const bp_train_layer_t *layer);
/* The masters of a layer from the image's folded biases. E_PARAM if one leaves no room. */
bp_status_t bp_train_unfold_biases(const bp_train_t *t, const bp_train_layer_t *layer);

/* ---- constants.c ---- */

/* Derives a layer's constants from its scales. */
void bp_train_constants(const bp_train_t *t, bp_train_layer_t *layer);
/* The same multipliers for row j: of the layer, or derived where there is one scale per row. */
bp_real_t bp_train_weight_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);
bp_real_t bp_train_bias_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);
bp_real_t bp_train_to_loss(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

#endif
