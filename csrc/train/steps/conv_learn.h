/* What the backward steps of CONV_2D and DEPTHWISE_CONV_2D have in common. */
#ifndef BYTEPROP_TRAIN_CONV_LEARN_H
#define BYTEPROP_TRAIN_CONV_LEARN_H

#include "ops/convolution.h"
#include "train/steps/errors.h"
#include "train/steps/steps.h"

/* Of errors that go down, brought to one scale. */
#define BP_BACKWARD_LIMIT ((int32_t)1 << 15)

static inline int32_t bp_conv_shifted(int32_t x, uint8_t rshift) {
    return rshift == 0 ? x : (x + ((int32_t)1 << (rshift - 1))) >> rshift;
}

/* By how many bits errors are shifted before they go down, `terms` of them to an input at most. */
uint8_t bp_conv_spread(uint32_t terms);
/* Most windows that have a position, along one axis. */
uint32_t bp_conv_reach(const bp_window_t *window);
/* Zeros for the sums of the inputs' errors. */
void bp_conv_clear(int32_t *h, const bp_conv_shape_t *shape);
/* Brings errors of row j to the largest scale of the weights and shifts them. */
void bp_conv_scale_errors(bp_error_t *errors, uint8_t n, const bp_train_t *t,
                          const bp_train_layer_t *layer, uint16_t j, uint8_t spread);

/* The gradient of row j: its sums over the positions. */
typedef struct {
    int32_t *g; /* [n_in] */
    int32_t bias;
    uint8_t rshift; /* of the errors that are summed */
} bp_conv_row_t;

/* A row of zeros, and its shift. */
void bp_conv_row_begin(bp_conv_row_t *row, const bp_train_t *t, const bp_train_layer_t *layer);
/* Adds errors to the bias' sum, and shifts them for the weights'. */
void bp_conv_row_add(bp_conv_row_t *row, bp_error_t *errors, uint8_t n);
/* What inputs that were summed with their zero point have too much; sum: of the shifted errors, modulo
 * 2^32. */
static inline void bp_conv_row_center(bp_conv_row_t *row, uint32_t n, int16_t x_zp, uint32_t sum) {
    const uint32_t zero_point = (uint32_t)(int32_t)x_zp;
    for (uint32_t i = 0; i < n; ++i) {
        row->g[i] = (int32_t)((uint32_t)row->g[i] - zero_point * sum);
    }
}
/* Learns from the sums of row j. */
void bp_conv_row_end(const bp_conv_row_t *row, const bp_train_t *t, const bp_train_layer_t *layer,
                     uint16_t j, bp_real_t rate);

#endif
