/* The errors of a convolution's outputs, channel by channel, wherever they are kept: its own, or those of
 * the pool above it. Zeros are left out. */
#ifndef BYTEPROP_TRAIN_ERRORS_H
#define BYTEPROP_TRAIN_ERRORS_H

#include <byteprop/kernels.h>

#include "train/kernels/kernels.h"
#include "train/state.h"

typedef struct {
    const int16_t *delta; /* [rows][columns][channels] */
    const uint8_t *places;
    const int8_t *y; /* of the convolution, to mask; NULL: its errors are masked already */
    uint32_t channels;
    uint32_t stride; /* columns of y */
    uint16_t rows; /* of delta, or of a mean's inputs */
    uint16_t columns;
    uint16_t width;        /* columns of delta */
    bp_window_t window[2]; /* of the pool */
    int8_t y_min;
    int8_t y_max;
    uint8_t view;
    /* where bp_errors_next goes on */
    uint16_t channel;
    uint16_t row;
    uint16_t column;
} bp_errors_t;

void bp_errors_of(bp_errors_t *errors, const bp_train_t *t, uint16_t l);
void bp_errors_begin(bp_errors_t *errors, uint16_t channel);
/* The next errors of the channel, at most BP_ERRORS_AT_ONCE; 0 after the last one. */
uint8_t bp_errors_next(bp_errors_t *errors, bp_error_t *found);

#endif
