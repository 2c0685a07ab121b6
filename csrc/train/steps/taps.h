/* Two ways to the gradient of a DEPTHWISE_CONV_2D. Taps are for 3 x 3: a channel is copied to a small image
 * of its own, with a border of zero points, so that all errors have nine taps. Patches are for all others. */
#ifndef BYTEPROP_TRAIN_TAPS_H
#define BYTEPROP_TRAIN_TAPS_H

#include "train/steps/conv_learn.h"

/* These errors of this convolution are for taps: its own, and the image is not too wide. */
int bp_has_taps(const bp_errors_t *errors, const bp_conv_shape_t *shape);
void bp_taps_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                   const bp_conv_shape_t *shape, const bp_errors_t *errors, bp_real_t rate);
void bp_patches_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                      const bp_conv_shape_t *shape, bp_errors_t *errors, bp_real_t rate);

#endif
