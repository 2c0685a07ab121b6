#include "ops/mean.h"

#include "ops/ops.h"
#include "ops/reduction.h"

/* MEAN. Its words: axes u8, a bit for each, 0, 0, 0; multiplier i32, divided by the number of values
 * and so any that is not negative; shift i32. */

enum { MULTIPLIER = 4 };

bp_status_t bp_op_mean_check(const bp_reader_t *reader, const bp_op_t *op) {
    const int32_t lshift = BP_ROM_I32(op->params + BP_MEAN_LSHIFT);
    if (BP_ROM_I32(op->params + MULTIPLIER) < 0 || lshift < -31 || lshift > 30) {
        return BP_E_PARAM;
    }
    return bp_check_reduction(bp_operand_record(reader->model, op, 0),
                              bp_operand_record(reader->model, op, 1), BP_ROM_U8(op->params));
}

void bp_mean_record(bp_mean_t *mean, bp_reduction_t *reduction, const bp_model_t *model,
                    const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    mean->mult_q31 = BP_ROM_I32(op->params + MULTIPLIER);
    mean->lshift = BP_ROM_I8(op->params + BP_MEAN_LSHIFT);
    mean->x_zp = bp_record_zero_point(tx);
    mean->y_zp = bp_record_zero_point(ty);
    bp_reduction(reduction, tx, bp_mean_axes(op));
}

void bp_op_mean_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_mean_t mean;
    bp_reduction_t reduction;
    bp_mean_record(&mean, &reduction, model, op);
    bp_mean_s8((int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1)),
               (const int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 0)),
               &reduction, &mean);
}
