#include <byteprop/kernels.h>

#include "ops/joins.h"

/* PAD and PADV2: the input in the middle of an output that is `value` elsewhere. Its words: before
 * u32 [4], positions of the output before the input's first; value i32, within the data type. What
 * comes after the input follows from the shapes. */

static uint32_t before_of(const bp_op_t *op, uint8_t axis) {
    return BP_ROM_U32(op->params + 4u * axis);
}

static int32_t value_of(const bp_op_t *op) {
    return BP_ROM_I32(op->params + 4u * BP_MODEL_MAX_RANK);
}

bp_status_t bp_op_pad_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(reader->model, op, 0);
    const uint8_t *ty = bp_operand_record(reader->model, op, 1);
    int32_t value = value_of(op), lowest = bp_record_dtype(ty) == BP_DTYPE_INT8 ? -128 : 0;
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        if (!bp_is_inside(before_of(op, i), bp_record_dim(tx, i), 0, bp_record_dim(ty, i))) {
            return BP_E_SHAPE;
        }
    }
    return value >= lowest && value <= lowest + 255 ? BP_OK : BP_E_PARAM;
}

uint32_t bp_pad_at(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *ty = bp_operand_record(model, op, 1);
    uint32_t at = 0;
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        at += before_of(op, i) * bp_record_stride(ty, i);
    }
    return at;
}

void bp_pad_8(uint8_t *y, const uint8_t *x, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const uint8_t value = (uint8_t)value_of(op);
    bp_move_axis_t axes[BP_MOVE_AXES];
    for (uint32_t i = 0, n = bp_record_elems(ty); i < n; ++i) {
        y[(size_t)i] = value;
    }
    for (uint8_t i = 0; i < BP_MOVE_AXES; ++i) {
        axes[i].n = bp_record_dim(tx, i);
        axes[i].x_step = (int32_t)bp_record_stride(tx, i);
        axes[i].y_step = (int32_t)bp_record_stride(ty, i);
    }
    bp_move_8(y + (size_t)bp_pad_at(model, op), x, axes);
}

void bp_op_pad_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    bp_pad_8(arena + (size_t)bp_record_offset(ty), arena + (size_t)bp_record_offset(tx), model, op);
}
