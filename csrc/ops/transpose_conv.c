#include <byteprop/kernels.h>

#include "ops/convolution.h"

/* TRANSPOSE_CONV. csrc/ops/convolution.c has its words. */

bp_status_t bp_op_transpose_conv_check(const bp_reader_t *reader, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, reader->model, op);
    const bp_conv_shape_t *s = &conv.shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    BP_TRY(bp_check_conv(reader, op, &conv));
    if (conv.fast || conv.groups != 1 || s->window[0].dilation != 1 || s->window[1].dilation != 1) {
        return BP_E_PARAM;
    }
    if (taps > BP_DENSE_MAX_INPUTS / s->x_channels || s->window[0].pad >= s->window[0].kernel ||
        s->window[1].pad >= s->window[1].kernel) {
        return BP_E_SHAPE;
    }
    return bp_check_rows(reader, op, taps * s->x_channels, s->y_channels);
}

void bp_op_transpose_conv_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    int8_t *const bytes = (int8_t *)arena;
    bp_transpose_conv_s8(bytes + (size_t)bp_record_offset(bp_operand_record(model, op, 1)),
                         bytes + (size_t)bp_record_offset(bp_operand_record(model, op, 0)), &conv);
}
