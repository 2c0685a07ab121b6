/* What an op is to training, internal to csrc/train: a row of the list and four functions in
 * csrc/train/steps/<name>.c.
 *
 *   bp_train_<name>_read   fills what the image says of the op in a layer's record, whose op, tensors
 *                          and code are set; a status. below: the layer before it, NULL: none
 *   bp_train_<name>_run    computes y as inference does, and keeps what the errors need
 *   bp_train_<name>_down   from the errors of layer l to sums for the layer below; returns their unit
 *   bp_train_<name>_learn  its weights' part of a sample; rate: in the unit of the errors. Of ops that
 *                          have weights
 *
 * Which ops those are: convolutions and what may be beside them only where the build trains images. */
#ifndef BYTEPROP_TRAIN_STEPS_H
#define BYTEPROP_TRAIN_STEPS_H

#include <byteprop/kernels.h>

#include "train/state.h"

/* X(op, name, trains images, has weights) */
#define BP_TRAIN_OP_LIST(X)                                                                        \
    X(DENSE_S8, dense, 0, 1)                                                                       \
    X(CONV_S8, conv, 1, 1)                                                                         \
    X(DEPTHWISE_S8, depthwise, 1, 1)                                                               \
    X(POOL_S8, pool, 1, 0)                                                                         \
    X(MEAN_S8, mean, 1, 0)                                                                         \
    X(PAD, pad, 1, 0)                                                                              \
    /* the next op comes here */

/* Ops that join branches have their own three functions:
 *
 *   bp_train_<name>_read   as above
 *   bp_train_<name>_join   computes y of layer l; x: what the first layer reads
 *   bp_train_<name>_split  from the errors of layer l to those of its input i, in 32 bits
 *
 * X(op, name) */
#define BP_TRAIN_JOIN_LIST(X)                                                                      \
    X(ADD_S8, add)                                                                                 \
    X(CONCATENATE, concatenate)                                                                    \
    /* the next op that joins comes here */

#define BP_TRAIN_OP_DECLARE(OP, name, images, weights)                                             \
    bp_status_t bp_train_##name##_read(bp_train_layer_t *layer, const bp_model_t *model,           \
                                       const bp_op_t *op, const bp_train_layer_t *below);          \
    void bp_train_##name##_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,      \
                               const int8_t *x, int8_t *scratch);                                  \
    bp_real_t bp_train_##name##_down(const bp_train_t *t, uint16_t l, bp_real_t unit);             \
    void bp_train_##name##_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate);
BP_TRAIN_OP_LIST(BP_TRAIN_OP_DECLARE)
#undef BP_TRAIN_OP_DECLARE

#define BP_TRAIN_JOIN_DECLARE(OP, name)                                                            \
    bp_status_t bp_train_##name##_read(bp_train_layer_t *layer, const bp_model_t *model,           \
                                       const bp_op_t *op, const bp_train_layer_t *below);          \
    void bp_train_##name##_join(const bp_train_t *t, uint16_t l, int8_t *y, const int8_t *x);      \
    void bp_train_##name##_split(const bp_train_t *t, uint16_t l, uint16_t i, int32_t *sums);
BP_TRAIN_JOIN_LIST(BP_TRAIN_JOIN_DECLARE)
#undef BP_TRAIN_JOIN_DECLARE

/* ---- the table (table.c) ---- */

/* E_UNSUPPORTED for an op that the list does not have. */
bp_status_t bp_train_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                          const bp_train_layer_t *below);
bp_real_t bp_train_down(const bp_train_t *t, uint16_t l, bp_real_t unit);
void bp_train_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate);
/* The op joins branches. */
int bp_train_is_join(uint8_t code);
void bp_train_join(const bp_train_t *t, uint16_t l, int8_t *y, const int8_t *x);
void bp_train_split(const bp_train_t *t, uint16_t l, uint16_t i, int32_t *sums);

/* ---- shared by ops ---- */

/* Fills a record of values that are moved or added, n_out of them in the last dimension (moved.c). */
bp_status_t bp_train_read_moved(bp_train_layer_t *layer, const uint8_t *y);
/* Fills what records of convolutions have in common, but rows of weights (conv_record.c). */
bp_status_t bp_train_read_conv(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op);
/* The op's parameters with the weights as trained. */
void bp_train_conv_now(bp_conv_s8_t *conv, const bp_train_t *t, const bp_train_layer_t *layer);
/* The same, and whether the weights are FAST now, which takes a look at all of them. */
void bp_train_conv_fast(bp_conv_s8_t *conv, const bp_train_t *t, const bp_train_layer_t *layer);

/* ---- for the plan ---- */

/* A MAX_POOL_2D without activation, whose errors are masked as those of its input are. */
int bp_train_is_plain_maximum(const bp_op_t *op);

/* Scratch memory that the op takes, and whether it keeps where its maxima were (conv_record.c, pool.c). */
uint32_t bp_train_scratch_bytes(const bp_model_t *model, const bp_train_layer_t *layer);
int bp_train_keeps_places(const bp_model_t *model, const bp_train_layer_t *layer);

#endif
