#include <byteprop/kernels.h>

#include "ops/ops.h"

/* SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK: from `begin` on, every `step`-th position of each
 * axis, as many as the output has. Its words: begin u32 [4], step i32 [4]. */

static uint32_t begin_of(const bp_op_t *op, uint8_t axis) {
    return BP_ROM_U32(op->params + 4u * axis);
}

static int32_t step_of(const bp_op_t *op, uint8_t axis) {
    return BP_ROM_I32(op->params + 4u * BP_MODEL_MAX_RANK + 4u * axis);
}

/* The last of n positions is inside the axis too. A step that leads nowhere is 1. */
static bool is_inside_axis(uint32_t dim, uint32_t begin, int32_t step, uint32_t n) {
    if (begin >= dim || n == 1 || step == 0) {
        return begin < dim && step == 1;
    }
    uint32_t room = step > 0 ? dim - 1 - begin : begin;
    uint32_t pace = step > 0 ? (uint32_t)step : 0 - (uint32_t)step;
    return n - 1 <= room / pace;
}

bp_status_t bp_op_slice_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(reader->model, op, 0);
    const uint8_t *ty = bp_operand_record(reader->model, op, 1);
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        if (!is_inside_axis(bp_record_dim(tx, i), begin_of(op, i), step_of(op, i),
                            bp_record_dim(ty, i))) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

void bp_op_slice_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const uint8_t *x = arena + (size_t)bp_record_offset(tx);
    bp_move_axis_t axes[BP_MOVE_AXES];
    for (uint8_t i = 0; i < BP_MOVE_AXES; ++i) {
        int32_t stride = (int32_t)bp_record_stride(tx, i);
        axes[i].n = bp_record_dim(ty, i);
        axes[i].x_step = stride * step_of(op, i);
        axes[i].y_step = (int32_t)bp_record_stride(ty, i);
        x += (size_t)begin_of(op, i) * (size_t)stride;
    }
    bp_move_8(arena + (size_t)bp_record_offset(ty), x, axes);
}
