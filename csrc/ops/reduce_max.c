#include "ops/ops.h"
#include "ops/reduction.h"

/* REDUCE_MAX. Its word: axes u8, a bit for each, 0, 0, 0. */

bp_status_t bp_op_reduce_max_check(const bp_reader_t *reader, const bp_op_t *op) {
    return bp_check_reduction(bp_operand_record(reader->model, op, 0),
                              bp_operand_record(reader->model, op, 1), BP_ROM_U8(op->params));
}

void bp_op_reduce_max_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    bp_reduction_t reduction;
    bp_reduction(&reduction, tx, BP_ROM_U8(op->params));
    bp_reduce_max_s8((int8_t *)arena + (size_t)bp_record_offset(ty),
                     (const int8_t *)arena + (size_t)bp_record_offset(tx), &reduction);
}
