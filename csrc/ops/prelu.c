#include <byteprop/kernels.h>

#include "ops/pairs.h"

/* PRELU; its inputs are x and alpha, and y has the shape of x. Its words: multiplier and shift from
 * zero up, the same below. */

bp_status_t bp_op_prelu_check(const bp_reader_t *reader, const bp_op_t *op) {
    for (uint8_t i = 0; i < 2; ++i) {
        if (!bp_is_scaling(BP_ROM_I32(op->params + 8 * i), BP_ROM_I32(op->params + 8 * i + 4))) {
            return BP_E_PARAM;
        }
    }
    if (bp_record_elems(bp_operand_record(reader->model, op, 0)) !=
        bp_record_elems(bp_operand_record(reader->model, op, 2))) {
        return BP_E_SHAPE;
    }
    return bp_pairs_check(reader, op);
}

void bp_op_prelu_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_prelu_t prelu = {
        .x_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 0)),
        .alpha_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 1)),
        .y_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 2)),
    };
    for (uint8_t i = 0; i < 2; ++i) {
        prelu.mult_q31[i] = BP_ROM_I32(op->params + 8 * i);
        prelu.lshift[i] = BP_ROM_I8(op->params + 8 * i + 4);
    }
    bp_pairs_t walk;
    bp_pairs_begin(&walk, model, arena, op);
    while (bp_pairs_next(&walk)) {
        bp_prelu_s8(walk.y, walk.x[0], walk.x[1], walk.n, &prelu);
    }
}
