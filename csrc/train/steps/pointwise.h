/* The backward steps of a CONV_2D of 1 x 1 whose outputs are where its inputs are: a product of matrices.
 * The errors go down position by position, so each sum is complete before it is stored. */
#ifndef BYTEPROP_TRAIN_POINTWISE_H
#define BYTEPROP_TRAIN_POINTWISE_H

#include "train/steps/conv_learn.h"

/* These errors of this convolution are for the functions below: its own, or those of one mean. */
int bp_is_pointwise(const bp_errors_t *errors, const bp_conv_shape_t *shape);
/* h += what the errors are at the inputs. */
void bp_pointwise_down(int32_t *h, const bp_train_t *t, const bp_train_layer_t *layer,
                       const bp_conv_s8_t *conv, const bp_errors_t *errors, uint8_t spread);
void bp_pointwise_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                        const bp_errors_t *errors, bp_real_t rate);

#endif
