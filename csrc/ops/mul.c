#include <byteprop/kernels.h>

#include "ops/pairs.h"

/* MUL. Its words: activation u8, 0, 0, 0; y_min i16, y_max i16; multiplier i32; shift i32. */

enum { Y_MIN = 4, Y_MAX = 6, MULTIPLIER = 8, LSHIFT = 12 };

bp_status_t bp_op_mul_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *p = op->params;
    if (!bp_is_scaling(BP_ROM_I32(p + MULTIPLIER), BP_ROM_I32(p + LSHIFT))) {
        return BP_E_PARAM;
    }
    BP_TRY(bp_check_range(BP_ROM_U8(p), (int16_t)BP_ROM_U16(p + Y_MIN),
                          (int16_t)BP_ROM_U16(p + Y_MAX), BP_DTYPE_INT8));
    return bp_pairs_check(reader, op);
}

void bp_op_mul_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *p = op->params;
    bp_mul_t mul = {
        .mult_q31 = BP_ROM_I32(p + MULTIPLIER),
        .lshift = BP_ROM_I8(p + LSHIFT),
        .y_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 2)),
        .y_min = BP_ROM_I8(p + Y_MIN), /* the range is one of int8 */
        .y_max = BP_ROM_I8(p + Y_MAX),
    };
    for (uint8_t i = 0; i < 2; ++i) {
        mul.x_zp[i] = (int8_t)bp_record_zero_point(bp_operand_record(model, op, i));
    }
    bp_pairs_t walk;
    bp_pairs_begin(&walk, model, arena, op);
    while (bp_pairs_next(&walk)) {
        bp_mul_s8(walk.y, walk.x[0], walk.x[1], walk.n, &mul);
    }
}
