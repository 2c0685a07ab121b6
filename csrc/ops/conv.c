#include <byteprop/kernels.h>

#include "ops/convolution.h"

/* CONV_2D. csrc/ops/convolution.c has its words. */

enum { X, Y, SCRATCH };

/* Weights of one output channel; 0 for what no row or no
 * scratch memory can hold. */
static uint32_t row_weights(const bp_conv_s8_t *conv) {
    const bp_conv_shape_t *s = &conv->shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    const uint32_t channels = s->x_channels / conv->groups;
    const uint32_t most = BP_MODEL_MAX_ARENA_BYTES / BP_CONV_COLUMNS;
    return taps > BP_DENSE_MAX_INPUTS / channels || taps > most / s->x_channels ? 0
                                                                                : taps * channels;
}

bp_status_t bp_op_conv_check(const bp_reader_t *reader, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, reader->model, op);
    const bp_conv_shape_t *s = &conv.shape;
    BP_TRY(bp_check_conv(reader, op, &conv));
    if (conv.groups == 0 || s->x_channels % conv.groups != 0 ||
        s->y_channels % conv.groups != 0) {
        return BP_E_PARAM;
    }
    const uint32_t n_in = row_weights(&conv);
    if (n_in == 0) {
        return BP_E_SHAPE;
    }
    BP_TRY(bp_check_conv_window(reader, op, &conv));
    BP_TRY(bp_check_rows(reader, op, n_in, s->y_channels));
    BP_TRY(bp_check_fast_conv(reader, op, n_in, bp_row_stride(n_in) * s->y_channels));
    BP_TRY(bp_check_scratch_bytes(reader, op, bp_conv_scratch(s, conv.groups)));
    const uint32_t distance = bp_conv_distance(s);
    return bp_conv_is_backward(s) ? bp_check_distance(reader, op, X, Y, distance)
                                  : bp_check_distance(reader, op, Y, X, distance);
}

void bp_op_conv_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    int8_t *const bytes = (int8_t *)arena;
    bp_conv_s8(bytes + (size_t)bp_record_offset(bp_operand_record(model, op, Y)),
               bytes + (size_t)bp_record_offset(bp_operand_record(model, op, X)),
               bytes + (size_t)bp_record_offset(bp_operand_record(model, op, SCRATCH)), &conv);
}

void bp_op_conv_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                    const bp_op_row_t *row) {
    const uint8_t *scratch = bp_operand_record(model, op, SCRATCH);
    bp_conv_s8_t conv;
    bp_conv_row_record(&conv, model, op, row);
    bp_conv_s8((int8_t *)row->y, (const int8_t *)row->x,
               (int8_t *)arena + (size_t)bp_record_offset(scratch), &conv);
}
