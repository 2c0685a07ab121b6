/* The two ways of a depthwise convolution: by rows, any geometry, and by planes, 3 x 3. */
#ifndef BYTEPROP_KERNELS_DEPTHWISE_H
#define BYTEPROP_KERNELS_DEPTHWISE_H

#include <byteprop/kernels.h>
#include <stdbool.h>

/* The geometry is one of bp_depthwise_by_planes: 3 x 3, strides of 1 and 2, no dilation, one output
 * channel per input channel. */
bool bp_has_planes(const bp_conv_shape_t *shape);
/* Least scratch memory of it; more makes it faster. The same on every CPU. */
uint32_t bp_planes_scratch(const bp_conv_shape_t *shape);
/* y and x have no byte in common. */
bool bp_are_apart(const int8_t *y, const int8_t *x, const bp_conv_shape_t *shape);
/* No channel of y has a byte in common with another channel of x. */
bool bp_planes_are_apart(const int8_t *y, const int8_t *x, const bp_conv_shape_t *shape);
/* bp_depthwise_s8, given these two and the flag FAST; `bytes` of scratch memory. */
void bp_depthwise_by_planes(int8_t *y, const int8_t *x, int8_t *scratch, uint32_t bytes,
                            const bp_conv_s8_t *p);
/* Scratch memory of bp_depthwise_by_rows, and bp_depthwise_s8 of any geometry. */
uint32_t bp_rows_scratch(const bp_conv_shape_t *shape);
void bp_depthwise_by_rows(int8_t *y, const int8_t *x, int8_t *slots, const bp_conv_s8_t *p);

#endif
