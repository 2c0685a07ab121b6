#include <byteprop/kernels.h>

#include "ops/convolution.h"

/* DEPTHWISE_CONV_2D. csrc/ops/convolution.c has its words. */

enum { X, Y, SCRATCH };

static uint32_t scratch_bytes(const bp_model_t *model, const bp_op_t *op,
                              const bp_conv_shape_t *s) {
    return bp_op_is_fed(model, op) ? bp_depthwise_row_scratch(s) : bp_depthwise_scratch(s);
}

bp_status_t bp_op_depthwise_check(const bp_reader_t *reader, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, reader->model, op);
    const bp_conv_shape_t *s = &conv.shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    BP_TRY(bp_check_conv(reader, op, &conv));
    if (conv.groups != 1) {
        return BP_E_PARAM;
    }
    if (taps > BP_DENSE_MAX_INPUTS || s->y_channels % s->x_channels != 0) {
        return BP_E_SHAPE;
    }
    BP_TRY(bp_check_conv_window(reader, op, &conv));
    BP_TRY(bp_check_taps(reader, op, taps * s->y_channels));
    BP_TRY(bp_check_fast_conv(reader, op, taps, taps * s->y_channels));
    BP_TRY(bp_check_scratch_bytes(reader, op, scratch_bytes(reader->model, op, s)));
    return bp_check_distance(reader, op, Y, X, bp_depthwise_distance(s));
}

void bp_op_depthwise_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    int8_t *const bytes = (int8_t *)arena;
    bp_depthwise_s8(bytes + (size_t)bp_record_offset(bp_operand_record(model, op, Y)),
                    bytes + (size_t)bp_record_offset(bp_operand_record(model, op, X)),
                    bytes + (size_t)bp_record_offset(bp_operand_record(model, op, SCRATCH)), &conv);
}

void bp_op_depthwise_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                         const bp_op_row_t *row) {
    const uint8_t *scratch = bp_operand_record(model, op, SCRATCH);
    bp_conv_s8_t conv;
    bp_conv_row_record(&conv, model, op, row);
    bp_depthwise_row_s8((int8_t *)row->y, (const int8_t *)row->x,
                        (int8_t *)arena + (size_t)bp_record_offset(scratch), &conv);
}
