#include "ops/resize.h"

/* RESIZE_NEAREST_NEIGHBOR. Its words: flags u8 (1: align_corners, 2: half_pixel_centers), 0, 0, 0;
 * offset of a list of input rows, u16 [output height]; offset of one of input columns,
 * u16 [output width]. */

enum { LISTS = 4 };

static const uint8_t *list_of(const bp_model_t *model, const bp_op_t *op, uint8_t axis) {
    return model->image + (size_t)BP_ROM_U32(op->params + LISTS + 4 * (axis - BP_AXIS_HEIGHT));
}

/* Of n_out positions out of n_in. */
static bp_status_t check_list(const bp_reader_t *reader, const bp_op_t *op, uint8_t axis,
                              uint32_t n_in, uint32_t n_out) {
    const uint8_t *list = list_of(reader->model, op, axis);
    BP_TRY(bp_check_data(reader, BP_ROM_U32(op->params + LISTS + 4 * (axis - BP_AXIS_HEIGHT)),
                         2 * n_out, 2));
    for (uint32_t i = 0; i < n_out; ++i) {
        if (BP_ROM_U16(list + (size_t)(2 * i)) >= n_in) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

bp_status_t bp_op_resize_nearest_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(reader->model, op, 0);
    const uint8_t *y = bp_operand_record(reader->model, op, 1);
    BP_TRY(bp_check_resize(x, y, BP_ROM_U8(op->params)));
    for (uint8_t axis = BP_AXIS_HEIGHT; axis <= BP_AXIS_WIDTH; ++axis) {
        BP_TRY(check_list(reader, op, axis, bp_record_dim(x, axis), bp_record_dim(y, axis)));
    }
    return BP_OK;
}

void bp_op_resize_nearest_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const bp_resize_t resize = bp_resize(tx, ty);
    bp_resize_nearest_s8((int8_t *)arena + (size_t)bp_record_offset(ty),
                         (const int8_t *)arena + (size_t)bp_record_offset(tx), &resize,
                         list_of(model, op, BP_AXIS_HEIGHT), list_of(model, op, BP_AXIS_WIDTH));
}
