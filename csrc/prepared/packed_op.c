#include "isa/isa.h"

#if BP_ISA_AT_RUN_TIME
#include "prepared/packed_op.h"

#include "ops/convolution.h"
#include "ops/dense.h"
#include "ops/ops.h"

/* From records of images to ops that can be packed. */

static uint32_t offset_of(const bp_model_t *model, const bp_op_t *op, uint16_t operand) {
    return bp_record_offset(bp_operand_record(model, op, operand));
}

static bp_packed_op_t convolution(const bp_model_t *model, const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    return (bp_packed_op_t){
        .shape = conv.shape,
        .x_offset = offset_of(model, op, 0),
        .y_offset = offset_of(model, op, 1),
        .groups = conv.groups,
        .x_zp = conv.x_zp,
        .channels = {
            .weights = conv.weights,
            .bias = conv.bias,
            .mult_q31 = conv.mult_q31,
            .lshift = conv.lshift,
            .n = conv.shape.y_channels,
            .taps = (uint32_t)conv.shape.window[0].kernel * conv.shape.window[1].kernel,
            .scaling_step = 1,
            .y_zp = conv.y_zp,
            .y_min = conv.y_min,
            .y_max = conv.y_max,
        },
    };
}

/* An op whose copies or whose work take more bytes than 4 times what it has, and so many, runs from
 * the image: dilated kernels and single channels can fill vectors badly. */
enum { FREE_BYTES = 65536 };
static int is_fair(size_t bytes, size_t of) {
    return bytes <= 4 * of + FREE_BYTES;
}

/* Counts first what it takes. */
static void prepare(bp_prepare_packed_t *function, bp_step_t *step, bp_store_t *store,
                    const bp_packed_isa_t *isa, const bp_packed_op_t *op) {
    const bp_conv_shape_t *s = &op->shape;
    bp_store_t count = {NULL, 0, 0};
    function(step, &count, isa, op);
    const size_t repeats = s->y_channels > s->x_channels ? s->y_channels / s->x_channels : 1;
    const size_t inputs = (size_t)s->batch * s->x_height * s->x_width * s->x_channels * repeats;
    if (step->run == NULL || !bp_channels_can_be_packed(&op->channels) ||
        !is_fair(count.used, (size_t)op->channels.n * op->channels.taps) ||
        !is_fair(count.work_bytes, inputs)) {
        step->run = NULL;
    } else {
        function(step, store, isa, op);
    }
}

void bp_prepare_conv(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                     const bp_model_t *model, const bp_op_t *op) {
    bp_packed_op_t packed = convolution(model, op);
    packed.channels.taps *= packed.shape.x_channels / packed.groups;
    packed.channels.channel_step = bp_row_stride(packed.channels.taps);
    packed.channels.tap_step = 1;
    prepare(bp_prepare_packed_conv, step, store, isa, &packed);
}

/* Of one input channel, it is a convolution. */
void bp_prepare_depthwise(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                          const bp_model_t *model, const bp_op_t *op) {
    bp_packed_op_t packed = convolution(model, op);
    packed.channels.channel_step = 1;
    packed.channels.tap_step = packed.shape.y_channels;
    if (packed.shape.x_channels == 1) {
        prepare(bp_prepare_packed_conv, step, store, isa, &packed);
    } else {
        prepare(bp_prepare_packed_depthwise, step, store, isa, &packed);
    }
}

/* Rows that share the weights are a batch of images of one pixel. */
void bp_prepare_dense(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                      const bp_model_t *model, const bp_op_t *op) {
    bp_dense_record_t dense;
    if (BP_ROM_U8(op->params) != BP_LAYOUT_ROWS) {
        return; /* of firmware for another CPU; the op itself runs */
    }
    bp_dense_record(&dense, model, op);
    const bp_window_t window = {1, 1, 1, 0};
    const bp_packed_op_t packed = {
        .shape = {dense.rows, 1, 1, dense.n_in, 1, 1, dense.n_out, {window, window}},
        .x_offset = offset_of(model, op, 0),
        .y_offset = offset_of(model, op, 1),
        .groups = 1,
        .x_zp = (int8_t)dense.x_zp,
        .channels = {
            .weights = model->image + (size_t)bp_dense_part(op, 0),
            .bias = model->image + (size_t)bp_dense_part(op, 1),
            .mult_q31 = model->image + (size_t)bp_dense_part(op, BP_DENSE_MULTIPLIERS),
            .lshift = model->image + (size_t)bp_dense_part(op, BP_DENSE_LSHIFTS),
            .n = dense.n_out,
            .channel_step = bp_row_stride(dense.n_in),
            .tap_step = 1,
            .taps = dense.n_in,
            .scaling_step = (dense.flags & BP_OP_PER_CHANNEL) != 0,
            .y_zp = (int8_t)dense.y_zp,
            .y_min = (int8_t)dense.y_min,
            .y_max = (int8_t)dense.y_max,
        },
    };
    prepare(bp_prepare_packed_conv, step, store, isa, &packed);
}

#endif
