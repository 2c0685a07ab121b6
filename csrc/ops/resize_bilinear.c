#include "ops/resize.h"

/* RESIZE_BILINEAR. Its words: flags u8 (1: align_corners, 2: half_pixel_centers), 0, 0, 0; step of
 * the height i32; step of the width i32, both in 1/1024 of an input position. */

enum { STEPS = 4 };

static bp_bilinear_axis_t axis_of(const bp_op_t *op, uint8_t axis) {
    bp_bilinear_axis_t result = {BP_ROM_I32(op->params + STEPS + 4 * (axis - BP_AXIS_HEIGHT)), 0};
    if ((BP_ROM_U8(op->params) & BP_RESIZE_HALF_PIXEL_CENTERS) != 0) {
        result.start = result.step / 2 - BP_BILINEAR_ONE / 2;
    }
    return result;
}

/* The last of n_out positions is before the end of the n_in that there are. */
static bp_status_t check_axis(const bp_bilinear_axis_t *axis, uint32_t n_in, uint32_t n_out) {
    if (n_in > BP_BILINEAR_MAX_INPUTS) {
        return BP_E_SHAPE;
    }
    const int32_t end = (int32_t)n_in * BP_BILINEAR_ONE;
    if (axis->step < 0 || axis->start >= end) {
        return BP_E_PARAM;
    }
    const uint32_t room = (uint32_t)(end - 1 - axis->start);
    return axis->step == 0 || n_out - 1 <= room / (uint32_t)axis->step ? BP_OK : BP_E_PARAM;
}

bp_status_t bp_op_resize_bilinear_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(reader->model, op, 0);
    const uint8_t *y = bp_operand_record(reader->model, op, 1);
    BP_TRY(bp_check_resize(x, y, BP_ROM_U8(op->params)));
    for (uint8_t i = BP_AXIS_HEIGHT; i <= BP_AXIS_WIDTH; ++i) {
        const bp_bilinear_axis_t axis = axis_of(op, i);
        BP_TRY(check_axis(&axis, bp_record_dim(x, i), bp_record_dim(y, i)));
    }
    return BP_OK;
}

void bp_op_resize_bilinear_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const bp_resize_t resize = bp_resize(tx, ty);
    const bp_bilinear_axis_t axes[2] = {axis_of(op, BP_AXIS_HEIGHT), axis_of(op, BP_AXIS_WIDTH)};
    bp_resize_bilinear_s8((int8_t *)arena + (size_t)bp_record_offset(ty),
                          (const int8_t *)arena + (size_t)bp_record_offset(tx), &resize, axes);
}
