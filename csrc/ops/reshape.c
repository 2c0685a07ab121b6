#include "ops/ops.h"

/* RESHAPE: the same bytes under another shape. No words; the row of the list says all that is
 * checked. */

bp_status_t bp_op_reshape_check(const bp_reader_t *reader, const bp_op_t *op) {
    (void)reader;
    (void)op;
    return BP_OK;
}

void bp_op_reshape_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0);
    const uint8_t *x = arena + (size_t)bp_record_offset(tx);
    uint8_t *y = arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1));
    for (uint32_t n = y == x ? 0 : bp_record_elems(tx); n != 0; --n) {
        *y++ = *x++;
    }
}
