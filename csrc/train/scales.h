/* What depends on the scales of tensors and weights, and follows when one is doubled or halved. */
#ifndef BYTEPROP_TRAIN_SCALES_H
#define BYTEPROP_TRAIN_SCALES_H

#include "train/state.h"

/* Doubles (exponent 1) or halves (-1) the scale of a layer's output, and changes all that reads it. 0:
 * it cannot be, and nothing is changed. */
int bp_scales_move(const bp_train_t *t, const bp_train_layer_t *layer, int8_t exponent);

/* The scales of an ADD's inputs and output are powers of two of each other, so that its multipliers are
 * always 2^30. */
int bp_scales_are_even(const bp_model_t *model, const bp_op_t *op);

/* Half of x, halves rounded up. */
int32_t bp_halved(int32_t x);
/* The shifts of a layer with weights can change. */
int bp_scales_can_shift(const bp_train_t *t, const bp_train_layer_t *layer, int8_t by);
int bp_scales_can_double_weights(const bp_train_t *t, const bp_train_layer_t *layer);
/* Doubles the scale of weights that were halved. */
void bp_scales_double_weights(const bp_train_t *t, const bp_train_layer_t *layer);

#endif
