#include <byteprop/kernels.h>

#include "ops/joins.h"

/* CONCATENATION and PACK, of inputs with the output's scale: row by row, a row being all from the
 * axis on. Its word: axis u32. */

uint32_t bp_concatenate_rows(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *ty = bp_operand_record(model, op, op->n_inputs);
    uint32_t rows = 1;
    for (uint8_t i = 0; i < BP_ROM_U8(op->params); ++i) {
        rows *= bp_record_dim(ty, i);
    }
    return rows;
}

/* The dims of inputs and output agree but for those of the axis, which add up to the output's. */
bp_status_t bp_op_concatenate_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *ty = bp_operand_record(reader->model, op, op->n_inputs);
    const uint32_t axis = BP_ROM_U32(op->params);
    if (axis >= BP_MODEL_MAX_RANK) {
        return BP_E_PARAM;
    }
    uint32_t left = bp_record_dim(ty, (uint8_t)axis);
    for (uint16_t k = 0; k < op->n_inputs; ++k) {
        const uint8_t *tx = bp_operand_record(reader->model, op, k);
        for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
            uint32_t dim = bp_record_dim(tx, i);
            if (i == axis ? dim > left : dim != bp_record_dim(ty, i)) {
                return BP_E_SHAPE;
            }
            left -= i == axis ? dim : 0;
        }
    }
    return left == 0 ? BP_OK : BP_E_SHAPE;
}

void bp_op_concatenate_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *ty = bp_operand_record(model, op, op->n_inputs);
    const uint32_t rows = bp_concatenate_rows(model, op);
    uint8_t *y = arena + (size_t)bp_record_offset(ty);
    for (uint16_t k = 0; k < op->n_inputs; ++k) {
        const uint8_t *tx = bp_operand_record(model, op, k);
        const uint32_t row = bp_record_elems(tx) / rows;
        const bp_move_axis_t axes[BP_MOVE_AXES] = {
            {1, 1, 1},
            {1, 1, 1},
            {rows, (int32_t)row, (int32_t)(bp_record_elems(ty) / rows)},
            {row, 1, 1},
        };
        bp_move_8(y, arena + (size_t)bp_record_offset(tx), axes);
        y += (size_t)row;
    }
}
