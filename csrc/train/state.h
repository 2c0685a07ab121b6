/* The records of training, internal to csrc/train, and the steps of a sample in their order. */
#ifndef BYTEPROP_TRAIN_STATE_H
#define BYTEPROP_TRAIN_STATE_H

#include <byteprop/train.h>
#include <stddef.h>

#include "isa/primitives.h"
#include "ops/ops.h"
#include "train/real.h"

/* Firmware for the smallest boards is built with BP_TRAIN_ONE_LAYER and leaves out what the
 * regression of one layer, sample by sample, does not need. Other models and configurations are
 * E_UNSUPPORTED there. */
#ifndef BP_TRAIN_ONE_LAYER
#define BP_TRAIN_ONE_LAYER 0
#endif
#define BP_TRAIN_HAS_OP(NAME) (((uint64_t)(BP_OPS_LOW) >> BP_OP_##NAME & 1) != 0)
enum {
    BP_TRAIN_HAS_HIDDEN_LAYERS = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_CLASSES = !BP_TRAIN_ONE_LAYER,  /* a softmax behind the last layer */
    BP_TRAIN_HAS_FROZEN_PART = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_QUANTIZE = !BP_TRAIN_ONE_LAYER, /* of the model's output */
    BP_TRAIN_HAS_BATCHES = !BP_TRAIN_ONE_LAYER,  /* and momentum */
    BP_TRAIN_HAS_AUTOENCODERS = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_RESCALING = !BP_TRAIN_ONE_LAYER,
    BP_TRAIN_HAS_KEPT = !BP_TRAIN_ONE_LAYER, /* features, to learn from them again */
    /* outputs that several layers read, and what joins them again */
    BP_TRAIN_HAS_BRANCHES =
        !BP_TRAIN_ONE_LAYER && (BP_TRAIN_HAS_OP(ADD_S8) || BP_TRAIN_HAS_OP(CONCATENATE)),
    /* convolutions, and what may be between them and the dense layers */
    BP_TRAIN_HAS_IMAGES =
        !BP_TRAIN_ONE_LAYER && (BP_TRAIN_HAS_OP(CONV_S8) || BP_TRAIN_HAS_OP(DEPTHWISE_S8) ||
                                BP_TRAIN_HAS_OP(PAD) || BP_TRAIN_HAS_BRANCHES)
};

#define BP_TRAIN_NONE 0xFFFF /* an int of 16 bits could not be an enumerator of it */

/* What becomes of a layer's errors on their way to the layer below. */
enum {
    BP_VIEW_NONE = 0, /* they are sums of their own */
    BP_VIEW_MAX = 1,  /* each is an error of the layer below, at the place of the maximum */
    BP_VIEW_MEAN = 2  /* each is the error of all outputs below that were averaged */
};

/* One layer: an op of BP_TRAIN_OP_LIST. Its data are named by offsets, in the image or in the
 * memory, so that the record has the same size on every machine; the padding at its end sees to
 * that, too. Offset 0 in the memory means 'absent': the counters are stored there. */
typedef struct {
    /* image; of a layer that is copied, memory; of a maximum pool, memory: uint8 [outputs], which
     * tap of the window the maximum was */
    uint32_t weights;
    uint32_t bias; /* folded, int32 */
    /* image */
    uint32_t mult_q31;
    uint32_t lshift;
    uint32_t weight_scales; /* float32 */
    /* memory, state */
    uint32_t bias_master;   /* int32 [n_out] */
    uint32_t range;         /* bp_range_t; of means and sums, with a window only */
    uint32_t residual;      /* int8, in the order of the weights */
    uint32_t gradient;      /* int32, the same: batch above 1, or momentum */
    uint32_t bias_gradient; /* int32 [n_out] */
    /* memory, scratch */
    uint32_t y;     /* int8 [positions][n_out]; the last layer has none */
    uint32_t delta; /* int32 [n_out] of a dense layer */
    /* What follows from the scales (constants.c); of row 0 where there is one scale per row. */
    bp_real_t weight_scale; /* the largest */
    bp_real_t weight_step;  /* s_x / s_w * 2^24 */
    bp_real_t bias_step;    /* 2^8 / (s_x * s_w) */
    bp_real_t to_loss;      /* last layer: from the accumulator to the unit of the loss */
    uint16_t op;
    uint16_t x_tensor;
    uint16_t y_tensor;
    uint16_t number;     /* of the layer for the generator */
    uint16_t n_in;       /* weights of a row; 0 where there are none */
    uint16_t n_out;      /* rows of weights, or channels */
    uint16_t row_stride; /* n_out * row_stride weights in all */
    uint16_t positions;  /* pixels of an image; 1 for a dense layer */
    int16_t x_zp;
    int8_t y_zp;
    int8_t y_min;
    int8_t y_max;
    uint8_t per_channel;
    uint8_t activation; /* what masks the errors of y: a maximum pool has that of the layer below */
    uint8_t frozen;
    uint8_t last;
    uint8_t copied; /* the image stays in flash, and this layer's weights and biases are in memory */
    uint8_t code;   /* of the op */
    uint8_t view;   /* BP_VIEW_x; of a pool behind a convolution */
} bp_train_layer_t;

typedef char bp_train_layer_has_one_size[sizeof(bp_train_layer_t) == 108 ? 1 : -1];

/* The head of the state block: the same on every machine, little-endian as all of them are. */
typedef struct {
    bp_train_counters_t counters;
    uint32_t batch_fill;     /* samples in the batch that is not updated yet */
    uint32_t window_steps;   /* updates since the scales were revised */
    uint32_t window_samples; /* samples since then */
} bp_train_head_t;

/* What a layer reads, in a model with branches: one for each input of each layer, in order. */
typedef struct {
    bp_real_t unit;  /* of the errors that came this way */
    uint32_t held;   /* in memory: int16 [outputs of source], errors that wait there; 0: none wait */
    uint16_t tensor; /* of the frozen part; BP_TRAIN_NONE: what the first layer reads */
    uint8_t source;  /* the layer, or BP_TRAIN_OUTSIDE */
    uint8_t reader;
} bp_train_edge_t;

enum { BP_TRAIN_OUTSIDE = 255 }; /* in place of a layer */

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
    uint32_t errors;   /* int16: of one layer of images; in the forward pass scratch of convolutions */
    uint32_t sums;     /* int32: errors before they are scaled; forward, what no backward step reads */
    uint32_t row;      /* int32: gradient of a row of a convolution's weights */
    uint32_t memory_bytes;
    uint32_t kept;  /* in memory, state: features that are kept; 0: none */
    uint32_t means; /* in memory: int32 [2][n_in], to imprint a row; there when features are kept and
                     * one layer is behind the frozen part */
    uint32_t copies;
    uint32_t state_bytes; /* with the copies at its end */
    uint16_t first_op;    /* the ops before it are the frozen part */
    uint16_t features;    /* tensor that the first layer reads */
    uint16_t softmax_op;  /* 0xFFFF: none, the loss is MSE */
    uint16_t n_layers;    /* behind the frozen part */
    uint16_t n_edges;     /* bp_train_edge_t behind the layers; 0: each layer reads the one before it */
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

static inline int bp_train_has_branches(const bp_train_t *t) {
    return t->n_edges != 0;
}
/* Input i of a layer; x: what the first layer reads (edges.c). */
const int8_t *bp_train_operand(const bp_train_t *t, uint16_t l, uint16_t i, const int8_t *x);
/* The first input: the output of the layer below, or the features. */
static inline const int8_t *bp_train_input(const bp_train_t *t, uint16_t l, const int8_t *x) {
    if (BP_TRAIN_HAS_BRANCHES && bp_train_has_branches(t)) {
        return bp_train_operand(t, l, 0, x);
    }
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
/* Convolution `from_last` of the model, 0 for the last one, is trained. */
static inline int bp_train_is_conv_trained(const bp_train_config_t *config, uint32_t from_last) {
    return BP_TRAIN_HAS_IMAGES && from_last < config->convs;
}

static inline int bp_train_is_conv(const bp_op_t *op) {
    return op->code == BP_OP_CONV_S8 || op->code == BP_OP_DEPTHWISE_S8;
}
/* A dense layer: what a build without images has alone. */
static inline int bp_train_is_dense(const bp_train_layer_t *layer) {
    return !BP_TRAIN_HAS_IMAGES || layer->code == BP_OP_DENSE_S8;
}
static inline int bp_train_has_weights(const bp_train_layer_t *layer) {
    return !BP_TRAIN_HAS_IMAGES || layer->n_in != 0;
}
/* Its output has a scale that is not that of its input. */
static inline int bp_train_has_own_scale(const bp_train_layer_t *layer) {
    return bp_train_has_weights(layer) || layer->code == BP_OP_MEAN_S8 ||
           layer->code == BP_OP_ADD_S8;
}
/* Something of the layer changes: of a frozen one shifts and biases, when scales are revised. */
static inline int bp_train_changes(const bp_train_t *t, const bp_train_layer_t *layer) {
    return bp_train_has_weights(layer) && (!layer->frozen || bp_train_has_window(t));
}
static inline uint32_t bp_train_outputs(const bp_train_layer_t *layer) {
    return BP_TRAIN_HAS_IMAGES ? (uint32_t)layer->n_out * layer->positions : layer->n_out;
}
static inline uint32_t bp_train_weight_count(const bp_train_layer_t *layer) {
    return (uint32_t)layer->n_out * layer->row_stride;
}
/* Row j of the weights, residuals or gradients: where it begins, and from one to the next. */
static inline size_t bp_train_row(const bp_train_layer_t *layer, uint16_t j) {
    const int is_depthwise = BP_TRAIN_HAS_IMAGES && layer->code == BP_OP_DEPTHWISE_S8;
    return is_depthwise ? j : (size_t)j * layer->row_stride;
}
static inline size_t bp_train_row_step(const bp_train_layer_t *layer) {
    return BP_TRAIN_HAS_IMAGES && layer->code == BP_OP_DEPTHWISE_S8 ? layer->n_out : 1;
}

/* ---- frozen.c: the ops before the first layer that is trained ---- */

/* Finds where the frozen part ends. On failure *op is the index of the op that is the reason. */
bp_status_t bp_train_find_frozen(bp_train_t *t, uint16_t *op, const bp_model_t *model,
                                 const bp_train_config_t *config);
/* Convolutions, or dense layers, among the first n_ops ops. */
uint16_t bp_train_count(const bp_model_t *model, uint16_t n_ops, int convs);
/* What the first layer reads, for a sample; x as in bp_train_sample. */
const int8_t *bp_train_features(const bp_train_t *t, const uint8_t *x);

/* ---- graph.c: finds which layer reads what, in models with branches ---- */

/* Whether an op behind the frozen part joins branches. */
int bp_train_has_joins(const bp_model_t *model, uint16_t first_op);
/* The op that wrote what op `reader` reads as *tensor, in front of reshapes; *tensor is what that op
 * wrote. BP_TRAIN_NONE: no op from first_op on. */
uint16_t bp_train_writer(const bp_model_t *model, uint16_t first_op, uint16_t reader,
                         uint16_t *tensor);
/* Of an op, which layer it is. */
uint16_t bp_train_layer_of(const bp_model_t *model, uint16_t first_op, uint16_t op_index);
/* The other way. */
uint16_t bp_train_op_of(const bp_model_t *model, uint16_t first_op, uint16_t layer);
/* Op `reader` alone reads what op `writer` writes. */
int bp_train_reads_alone(const bp_model_t *model, uint16_t first_op, uint16_t writer,
                         uint16_t reader);

/* The edges so far, while the memory is laid out. */
typedef struct {
    bp_train_edge_t *edges; /* NULL when planning */
    uint64_t used;          /* bytes of held errors that may wait together */
    uint64_t most;
    uint32_t unread[2]; /* a bit for each layer */
    uint16_t n;
    uint16_t from; /* the layers of which those errors are: from this one on, */
    uint16_t to;   /* and none reads behind this one */
    uint8_t crosses; /* a layer reads more of the frozen part than the first one does */
} bp_train_edges_t;

/* Adds the edges of a layer; op: as in the image. E_UNSUPPORTED if it reads what it cannot. */
bp_status_t bp_train_add_edges(bp_train_edges_t *edges, const bp_train_t *t,
                               const bp_model_t *model, const bp_op_t *op, uint16_t op_index);

/* ---- edges.c ---- */

/* All edges, n_edges of them; the first one of a layer; and how many have a layer as their source. */
bp_train_edge_t *bp_train_all_edges(const bp_train_t *t);
bp_train_edge_t *bp_train_first_edge(const bp_train_t *t, uint16_t l);
uint16_t bp_train_count_readers(const bp_train_t *t, uint16_t l);
/* The layer whose output is the first input of l. */
const bp_train_layer_t *bp_train_below(const bp_train_t *t, uint16_t l);
/* Where sums of errors are, for a layer, and for the one below l. */
int32_t *bp_train_sums_of(const bp_train_t *t, const bp_train_layer_t *layer);
int32_t *bp_train_sums_below(const bp_train_t *t, uint16_t l);
/* The errors of a layer of images. Those of the lowest one, which sends none down, may be where their
 * sums were. */
int16_t *bp_train_errors_of(const bp_train_t *t, uint16_t l);
int bp_train_sends_none(uint16_t l, uint8_t view);

/* ---- branches.c ---- */

/* As learn_layers in sample.c. */
void bp_train_learn_branches(const bp_train_t *t, const int8_t *x, bp_real_t unit, bp_real_t rate);

/* ---- classes.c ---- */

/* The bias, in 1/256, of a row that is not in use; its weights are 0. */
#define BP_UNUSED_BIAS (-BP_MASTER_LIMIT)
/* Row j of the last layer is a class. */
int bp_train_is_used(const bp_train_t *t, uint16_t j);

/* ---- quotient.c ---- */

/* floor(a / b), for b > 0. */
uint64_t bp_train_quotient(uint64_t a, uint32_t b);

/* ---- kept.c: features that are kept ---- */

/* Bytes of state for them. features: values of one sample. */
uint64_t bp_train_kept_bytes(const bp_train_config_t *config, uint32_t features);
/* Whether labels that may come from outside are those of classes. */
int bp_train_kept_is_valid(const bp_train_t *t);
/* The features of an entry to learn from, and its label; NULL if it is free or held out. */
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
/* Updates model.crc32 to that of the image as trained. */
void bp_train_seal_flash(bp_train_t *t);
/* E_ARG unless the copies, which may come from outside, are weights as the reader accepts them. */
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
/* E_UNSUPPORTED if a tensor is written by two ops, E_BOUNDS if two ops have bytes of their records in
 * common: what a revision of the scales relies on. */
bp_status_t bp_train_check_tensors(const bp_model_t *model);

/* ---- image.c: fields of the image, which is in RAM while it is trained ---- */

uint32_t bp_image_u32(const uint8_t *image, uint32_t offset);
int bp_is_normal_f32(uint32_t bits);
void bp_image_put_u32(uint8_t *image, uint32_t offset, uint32_t value);
/* Parts of an op with weights, in the order of BP_DENSE_PARTS: an offset, and bytes. */
uint32_t bp_image_part(const bp_op_t *op, uint8_t part);
/* Offset of the flags of an op with weights. */
uint32_t bp_image_flags_offset(const bp_model_t *model, uint16_t op);
/* What they are in training: not FAST, because weights, biases or shifts will change. Unless it is
 * frozen, a dense layer has a bias; until then it may have had none, which is one of zeros. */
uint8_t bp_image_trained_flags(uint8_t flags, const bp_train_layer_t *layer);
/* Offset of a tensor's scale in the image. */
uint32_t bp_image_scale_offset(const bp_model_t *model, uint16_t tensor);
bp_real_t bp_tensor_scale(const bp_train_t *t, uint16_t tensor);
/* Scale of row j's weights. */
bp_real_t bp_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);

/* ---- the steps of one sample, in order. training: 0 changes no state ---- */

/* sample.c: judges by what the first trained layer reads of a sample with a label, and learns from it.
 */
bp_status_t bp_train_judge_features(const bp_train_t *t, bp_train_result_t *result,
                                    const int8_t *features, uint16_t label);
bp_status_t bp_train_learn_features(bp_train_t *t, bp_train_result_t *result,
                                    const int8_t *features, uint16_t label, const int32_t *target,
                                    uint32_t lr_q24);

/* csrc/train/steps: a layer as inference computes it. scratch: of a convolution. */
void bp_train_run_layer(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                        const int8_t *x, int8_t *scratch);

/* loss.c: leaves the error in the last layer's delta and returns its unit. */
bp_real_t bp_train_cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 uint16_t label, int training);
bp_real_t bp_train_squared_error(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 const int32_t *target);
/* backward.c: makes the sums of layer l its errors: masked where y saturated, and scaled; by how many bits. Once
 * the errors of the layer above are done with. */
uint8_t bp_train_settle(const bp_train_t *t, uint16_t l);
/* Its first step: 0 where y of the layer saturated. */
void bp_train_mask(const bp_train_t *t, const bp_train_layer_t *layer, int32_t *sums);
/* Updates a layer from its gradient or velocity. */
void bp_train_apply_gradient(const bp_train_t *t, uint16_t l);
void bp_train_decay(const bp_train_t *t, const bp_train_layer_t *layer);
/* rescale.c: revises the scales at the end of a window. */
void bp_train_rescale(bp_train_t *t);

/* ---- rows (update.c) ---- */

/* From a row's error to the change of its weights (per unit of input) and of its bias. */
typedef struct {
    bp_real_t weight;
    bp_real_t bias;
} bp_train_step_t;

bp_train_step_t bp_train_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                              bp_real_t rate);
bp_rounding_t bp_train_rounding(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j);
/* Residuals from `row` on; NULL: none. */
int8_t *bp_train_residual_row(const bp_train_t *t, const bp_train_layer_t *layer, size_t row);
/* Row j loses g [n_in] * 2^-16, in a 256th of a weight's step, and its bias bias_change; in a batch they
 * are added to its gradient. */
void bp_train_learn_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                        const int32_t *g, int32_t bias_change);

/* ---- biases (update.c) ---- */

/* Masters stay within this, so that the bias that the accumulator takes, (master + 128) >> 8, never
 * leaves 24 bits. */
#define BP_MASTER_LIMIT (INT32_MAX - 255)
/* Changes a row's bias, and its folded bias for a row of weights whose sum changed. */
void bp_train_set_bias(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                       int32_t change, int32_t weight_sum_change);
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
