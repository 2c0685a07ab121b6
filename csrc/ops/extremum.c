#include <byteprop/kernels.h>

#include "ops/pairs.h"

/* MAXIMUM and MINIMUM. Their word: 1 for the greater, 0 for the lesser, u8; 0, 0, 0. */

bp_status_t bp_op_extremum_check(const bp_reader_t *reader, const bp_op_t *op) {
    return BP_ROM_U8(op->params) > 1 ? BP_E_PARAM : bp_pairs_check(reader, op);
}

void bp_op_extremum_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_pairs_t walk;
    bp_pairs_begin(&walk, model, arena, op);
    while (bp_pairs_next(&walk)) {
        bp_extremum_s8(walk.y, walk.x[0], walk.x[1], walk.n, BP_ROM_U8(op->params));
    }
}
