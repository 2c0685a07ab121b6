/* The record of a convolution, and what its check shares with others. */
#ifndef BYTEPROP_OPS_CONVOLUTION_H
#define BYTEPROP_OPS_CONVOLUTION_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

#include "ops/ops.h"

/* Where the record's parameters have its activation, its flags, and the offsets of its parts, which are
 * those of a dense op. */
enum { BP_CONV_ACTIVATION = 1, BP_CONV_FLAGS = 2, BP_CONV_PART = 28 };

/* The kernel's parameters. Shapes are of tensors of rank 4, or zero. */
void bp_conv_record(bp_conv_s8_t *conv, const bp_model_t *model, const bp_op_t *op);
/* The same for one row of the output. */
void bp_conv_row_record(bp_conv_s8_t *conv, const bp_model_t *model, const bp_op_t *op,
                        const bp_op_row_t *row);
/* Everything but the weights and how windows and images fit: shapes, numbers, biases, multipliers,
 * shifts and weight scales. */
bp_status_t bp_check_conv(const bp_reader_t *reader, const bp_op_t *op, const bp_conv_s8_t *conv);
/* Input and output are images over which the windows move. */
bp_status_t bp_check_conv_window(const bp_reader_t *reader, const bp_op_t *op,
                                 const bp_conv_s8_t *conv);
/* The scratch memory, which is the last operand, has this size. */
bp_status_t bp_check_scratch_bytes(const bp_reader_t *reader, const bp_op_t *op, uint32_t bytes);
/* Input and output have no byte in common, or `first` begins `distance` bytes before `second`, or
 * more: operands of the op. */
bp_status_t bp_check_distance(const bp_reader_t *reader, const bp_op_t *op, uint8_t first,
                              uint8_t second, uint32_t distance);
/* Weights in rows: n_in of them for each of the y_channels. */
bp_status_t bp_check_rows(const bp_reader_t *reader, const bp_op_t *op, uint32_t n_in,
                          uint32_t y_channels);
/* What the flag FAST states is true: of n_in weights per output channel, weight_bytes in all. */
bp_status_t bp_check_fast_conv(const bp_reader_t *reader, const bp_op_t *op, uint32_t n_in,
                               uint32_t weight_bytes);
/* Weights without rows, n of them. */
bp_status_t bp_check_taps(const bp_reader_t *reader, const bp_op_t *op, uint32_t n);

#endif
