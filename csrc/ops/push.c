#include "ops/ops.h"

/* PUSH: a state that has the last values of a sequence. It drops its first bytes, as many as there are
 * new ones, and the new ones follow its last. Inputs: the state, the new values. Output: the state. No
 * words. */

enum { STATE = 0, NEW = 1, OUTPUT = 2 }; /* operands */

bp_status_t bp_op_push_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *state = bp_operand_record(reader->model, op, STATE);
    if (bp_operand_record(reader->model, op, OUTPUT) != state ||
        bp_record_kind(state) != BP_KIND_STATE) {
        return BP_E_KIND;
    }
    const uint32_t n = bp_record_elems(bp_operand_record(reader->model, op, NEW));
    return n <= bp_record_elems(state) ? BP_OK : BP_E_SHAPE;
}

void bp_op_push_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *state = bp_operand_record(model, op, STATE);
    const uint8_t *tx = bp_operand_record(model, op, NEW);
    const uint32_t n = bp_record_elems(tx);
    const uint8_t *x = arena + (size_t)bp_record_offset(tx);
    uint8_t *y = arena + (size_t)bp_record_offset(state);
    for (uint32_t kept = bp_record_elems(state) - n; kept != 0; --kept, ++y) {
        *y = y[n];
    }
    for (uint32_t i = 0; i < n; ++i) {
        *y++ = x[i];
    }
}
