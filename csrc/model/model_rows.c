#include "model/model_rows.h"

/* The ops that work row by row, checked: they are the first ones and form a chain, each takes no more
 * rows than the arena has, and all that they use is apart, because all of it is in use until the last
 * row has come. */

enum { BATCH, HEIGHT };

static uint32_t dim(const uint8_t *record, uint8_t axis) {
    return bp_record_dim(record, axis);
}

bp_status_t bp_check_rows_tensor(const uint8_t *record) {
    const uint32_t held = bp_record_rows(record), height = dim(record, HEIGHT);
    return bp_record_rank(record) == BP_MODEL_MAX_RANK && dim(record, BATCH) == 1 && held != 0 &&
                   held <= height && height <= BP_MODEL_MAX_FED_HEIGHT
               ? BP_OK
               : BP_E_SHAPE;
}

/* Whether an operand is a tensor of this kind. */
static bool uses_rows(const bp_model_t *model, const bp_op_t *op) {
    for (uint16_t i = 0; i < op->n_inputs + op->n_outputs; ++i) {
        if (bp_record_is_rows(bp_operand_record(model, op, i))) {
            return true;
        }
    }
    return false;
}

/* What the op has to read: the input of the model, or what the op before it wrote. */
static uint16_t link_of(const bp_model_t *model, uint16_t index) {
    bp_op_t before;
    if (index == 0) {
        return bp_model_input(model, 0);
    }
    bp_model_op(&before, model, (uint16_t)(index - 1u));
    return bp_op_output(&before, 0);
}

/* Rows of the output belong to rows of the input, which the arena still has. */
static bp_status_t check_window(const bp_op_rows_t *takes, const uint8_t *x, const uint8_t *y) {
    const uint32_t height = dim(x, HEIGHT);
    if (bp_record_rank(y) != BP_MODEL_MAX_RANK || dim(y, BATCH) != 1 ||
        dim(y, HEIGHT) > BP_MODEL_MAX_FED_HEIGHT) {
        return BP_E_SHAPE;
    }
    for (uint8_t i = HEIGHT; takes->by_element && i < BP_MODEL_MAX_RANK; ++i) {
        if (dim(x, i) != dim(y, i)) {
            return BP_E_SHAPE;
        }
    }
    return bp_record_rows(x) >= (takes->reach < height ? takes->reach : height) ? BP_OK
                                                                                : BP_E_SHAPE;
}

/* No output, and no scratch memory, has a byte that an op before it or the op itself uses. Scratch
 * memory is in use only while its op runs. */
static bp_status_t check_apart(const bp_model_t *model, const bp_op_t *op, uint16_t index) {
    for (uint16_t i = 0; i <= index; ++i) {
        bp_op_t before;
        bp_model_op(&before, model, i);
        for (uint16_t b = 0; b < before.n_inputs + before.n_outputs; ++b) {
            const uint8_t *used = bp_operand_record(model, &before, b);
            for (uint16_t a = op->n_inputs; a < op->n_inputs + op->n_outputs; ++a) {
                const uint8_t *record = bp_operand_record(model, op, a);
                const bool is_itself = i == index && a == b;
                const bool are_scratch = bp_record_kind(record) == BP_KIND_SCRATCH &&
                                         bp_record_kind(used) == BP_KIND_SCRATCH;
                if (!is_itself && !are_scratch && bp_records_overlap(record, used)) {
                    return BP_E_OVERLAP;
                }
            }
        }
    }
    return BP_OK;
}

bp_status_t bp_check_rows_op(const bp_model_t *model, const bp_op_t *op, uint16_t index) {
    bp_op_rows_t takes;
    if (!uses_rows(model, op)) {
        return BP_OK;
    }
    const uint8_t *x = bp_operand_record(model, op, 0), *y = bp_operand_record(model, op, 1);
    if (op->n_inputs != 1 || !bp_record_is_rows(x) || !bp_op_rows(&takes, op)) {
        return BP_E_KIND;
    }
    if (index >= BP_MODEL_MAX_FED_OPS) {
        return BP_E_BOUNDS;
    }
    if (bp_op_input(op, 0) != link_of(model, index)) {
        return BP_E_ORDER;
    }
    BP_TRY(check_window(&takes, x, y));
    return check_apart(model, op, index);
}
