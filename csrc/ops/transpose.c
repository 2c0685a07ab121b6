#include <byteprop/kernels.h>

#include "ops/ops.h"

/* TRANSPOSE: axis i of the output is axis `permutation[i]` of the input. Its word: permutation
 * u8 [4]; an axis that the rank does not reach is itself. */

bp_status_t bp_op_transpose_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(reader->model, op, 0);
    const uint8_t *ty = bp_operand_record(reader->model, op, 1);
    uint8_t seen = 0;
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        uint8_t from = BP_ROM_U8(op->params + i);
        if (from >= BP_MODEL_MAX_RANK) {
            return BP_E_PARAM;
        }
        seen = (uint8_t)(seen | 1u << from);
        if (bp_record_dim(ty, i) != bp_record_dim(tx, from)) {
            return BP_E_SHAPE;
        }
    }
    return seen == (1u << BP_MODEL_MAX_RANK) - 1 ? BP_OK : BP_E_PARAM;
}

void bp_op_transpose_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    bp_move_axis_t axes[BP_MOVE_AXES];
    for (uint8_t i = 0; i < BP_MOVE_AXES; ++i) {
        axes[i].n = bp_record_dim(ty, i);
        axes[i].x_step = (int32_t)bp_record_stride(tx, BP_ROM_U8(op->params + i));
        axes[i].y_step = (int32_t)bp_record_stride(ty, i);
    }
    bp_move_8(arena + (size_t)bp_record_offset(ty), arena + (size_t)bp_record_offset(tx), axes);
}
