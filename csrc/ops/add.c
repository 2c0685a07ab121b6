#include <byteprop/kernels.h>

#include "ops/joins.h"
#include "ops/pairs.h"

/* ADD and SUB. Their words: activation u8, subtract u8, 0, 0; y_min i16, y_max i16; multiplier and
 * shift of the first input, of the second, and of the output. */

enum { SUBTRACT = 1, Y_MIN = 4, Y_MAX = 6 };

bp_status_t bp_op_add_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *p = op->params;
    for (uint8_t i = 0; i < 3; ++i) {
        int32_t lshift = BP_ROM_I32(p + BP_ADD_SCALINGS + 8 * i + 4);
        if (!bp_is_scaling(BP_ROM_I32(p + BP_ADD_SCALINGS + 8 * i), lshift) || lshift > 0) {
            return BP_E_PARAM;
        }
    }
    if (BP_ROM_U8(p + SUBTRACT) > 1) {
        return BP_E_PARAM;
    }
    BP_TRY(bp_check_range(BP_ROM_U8(p), (int16_t)BP_ROM_U16(p + Y_MIN),
                          (int16_t)BP_ROM_U16(p + Y_MAX), BP_DTYPE_INT8));
    return bp_pairs_check(reader, op);
}

void bp_add_record(bp_add_t *add, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *p = op->params;
    *add = (bp_add_t){
        .y_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, 2)),
        .y_min = BP_ROM_I8(p + Y_MIN), /* the range is one of int8 */
        .y_max = BP_ROM_I8(p + Y_MAX),
        .subtract = BP_ROM_U8(p + SUBTRACT),
    };
    for (uint8_t i = 0; i < 3; ++i) {
        add->mult_q31[i] = BP_ROM_I32(p + BP_ADD_SCALINGS + 8 * i);
        add->lshift[i] = BP_ROM_I8(p + BP_ADD_SCALINGS + 8 * i + 4);
    }
    for (uint8_t i = 0; i < 2; ++i) {
        add->x_zp[i] = (int8_t)bp_record_zero_point(bp_operand_record(model, op, i));
    }
}

uint8_t bp_add_activation(const bp_op_t *op) {
    return BP_ROM_U8(op->params);
}

void bp_op_add_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_add_t add;
    bp_add_record(&add, model, op);
    bp_pairs_t walk;
    bp_pairs_begin(&walk, model, arena, op);
    while (bp_pairs_next(&walk)) {
        bp_add_s8(walk.y, walk.x[0], walk.x[1], walk.n, &add);
    }
}
