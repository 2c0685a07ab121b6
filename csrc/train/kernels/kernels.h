/* The arithmetic of training: pure functions, which trust their arguments, because bp_train_plan
 * has checked what comes from outside. docs/numerics.md has the equations. Those that tuned code
 * may replace are in isa/primitives.h, with the planes in which weights are stored. */
#ifndef BYTEPROP_TRAIN_KERNELS_KERNELS_H
#define BYTEPROP_TRAIN_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <byteprop/kernels.h>

#include "isa/primitives.h"

/* Rounding of row `row` of dense layer `layer` in update `step`. */
bp_rounding_t bp_rounding_of(uint32_t seed, uint32_t step, uint32_t layer, uint32_t row,
                             uint8_t nearest);

/* Cross-entropy after softmax. delta [n]: in, logits in 1/256 of log2; out, p - onehot in Q15.
 * Returns the loss in 1/256 bit; *predicted is the first index of the largest logit. n <= 65535. */
uint32_t bp_softmax_ce(int32_t *delta, uint16_t *predicted, uint16_t n, uint16_t label);

/* acc[j] = bias[j] + sum_i w[j][i] * x[i] modulo 2^32, for n_out rows. weights and bias as in
 * bp_dense_s8_t. */
void bp_dense_acc_s8(int32_t *acc, const int8_t *x, const uint8_t *weights, const uint8_t *bias,
                     uint16_t row_stride, uint16_t n_in, uint16_t n_out);

/* sum_i (256 * wh[i] + wl[i]) * (x[i] - x_zp); wl may be NULL for zeros. */
int64_t bp_dot_master(const int8_t *wh, const int8_t *wl, const int8_t *x, int16_t x_zp,
                      uint16_t n);

/* ---- convolutions; shapes have batch 1, one group and dilation 1 ---- */

/* An error of an output that is not 0, and which output. */
typedef struct {
    int32_t delta;
    uint16_t row;
    uint16_t column;
} bp_error_t;

enum { BP_ERRORS_AT_ONCE = 16 }; /* that the functions below take */

/* g[dy][dx][ci] += delta * (x - x_zp) for n errors of one output channel, x 0 beyond the image. */
void bp_conv_gradient(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *shape,
                      const bp_error_t *errors, uint8_t n);
/* h[y][x][ci] += delta * row[dy][dx][ci]: what they are at the inputs, row: weights of the channel. */
void bp_conv_down(int32_t *h, const int8_t *row, const bp_conv_shape_t *shape,
                  const bp_error_t *errors, uint8_t n);
/* The same of a depthwise convolution. x, h: from the input channel on; weights: from the output
 * channel on. */
void bp_depthwise_gradient(int32_t *g, const int8_t *x, int16_t x_zp, const bp_conv_shape_t *shape,
                           const bp_error_t *errors, uint8_t n);
void bp_depthwise_down(int32_t *h, const int8_t *weights, const bp_conv_shape_t *shape,
                       const bp_error_t *errors, uint8_t n);

/* bp_pool_s8 of a maximum pool of one image; places: which tap of each window it was, the first where
 * several are. Windows have at most 256 taps. */
void bp_pool_places(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p);

/* ---- errors ---- */

/* Shifts delta right, rounding, until it fits int16; returns by how much. */
uint8_t bp_block_scale(int32_t *delta, uint32_t n);
/* The same to 16 bits; errors may begin where sums do. */
uint8_t bp_block_narrow(int16_t *errors, const int32_t *sums, uint32_t n);

/* bp_sgd_row_s16 without residuals: wh -= (c * (x - x_zp) + r) >> 24, 24 random bits. */
bp_row_change_t bp_sgd_row_s8(int8_t *wh, const int8_t *x, int16_t x_zp, uint16_t n, int32_t c,
                              bp_rounding_t rounding);
/* The same from a gradient that was summed up: g in place of c * (x - x_zp), |g| <= 2^31 - 65536.
 * wl may be NULL: no residuals. step: from one weight of the row to the next. */
bp_row_change_t bp_sgd_row_from(int8_t *wh, int8_t *wl, size_t step, const int32_t *g,
                                size_t g_step, uint16_t n, bp_rounding_t rounding);

/* Gradients and velocities stay within this, so that the rounding can be added. */
#define BP_GRADIENT_LIMIT (INT32_MAX - 65535)
int32_t bp_gradient_add(int32_t g, int32_t change);
/* g - round(g / 2^shift): a velocity's decay; shift 1 .. 15. */
int32_t bp_gradient_decay(int32_t g, uint8_t shift);

/* g[i] = bp_gradient_add(g[i], c * (x[i] - x_zp)). */
void bp_accumulate_row(int32_t *g, const int8_t *x, int16_t x_zp, uint16_t n, int32_t c);

#endif
