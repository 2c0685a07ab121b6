#include <byteprop/kernels.h>

#include "ops/ops.h"

/* LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH and ELU: a table with an output for each input. Its words:
 * function u8, 0, 0, 0; offset of the table; alpha f32. */

enum { TABLE = 4, TABLE_BYTES = 256 };

bp_status_t bp_op_table_check(const bp_reader_t *reader, const bp_op_t *op) {
    if (BP_ROM_U8(op->params) > BP_FUNCTION_ELU) {
        return BP_E_PARAM;
    }
    return bp_check_data(reader, BP_ROM_U32(op->params + TABLE), TABLE_BYTES, 4);
}

void bp_op_table_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0);
    const int8_t *x = (const int8_t *)arena + (size_t)bp_record_offset(tx);
    int8_t *y = (int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1));
    bp_table_s8(y, x, bp_record_elems(tx),
                model->image + (size_t)BP_ROM_U32(op->params + TABLE));
}

void bp_op_table_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                     const bp_op_row_t *row) {
    (void)arena;
    bp_table_s8((int8_t *)row->y, (const int8_t *)row->x,
                bp_record_stride(bp_operand_record(model, op, 1), 1),
                model->image + (size_t)BP_ROM_U32(op->params + TABLE));
}
