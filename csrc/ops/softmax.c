#include "ops/softmax.h"

#include <byteprop/kernels.h>

#include "ops/ops.h"

/* SOFTMAX over the last axis. Its words: offset of the table of exponentials, beta f32. */

uint32_t bp_softmax_classes(const bp_model_t *model, const bp_op_t *op) {
    return bp_record_last_dim(bp_operand_record(model, op, 0));
}

bp_status_t bp_op_softmax_check(const bp_reader_t *reader, const bp_op_t *op) {
    if (bp_softmax_classes(reader->model, op) > BP_SOFTMAX_MAX_ELEMS) {
        return BP_E_SHAPE;
    }
    bp_status_t status = bp_check_data(reader, bp_softmax_table(op), BP_SOFTMAX_TABLE_BYTES, 4);
    const uint8_t *exp_q31 = reader->model->image + (size_t)bp_softmax_table(op);
    for (uint16_t d = 0; d < 256 && status == BP_OK; ++d) {
        int32_t value = BP_ROM_I32(exp_q31 + 4 * d);
        if (value < 0 || (d == 0 && value != INT32_MAX)) {
            status = BP_E_PARAM;
        }
    }
    return status;
}

void bp_op_softmax_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0);
    const int8_t *x = (const int8_t *)arena + (size_t)bp_record_offset(tx);
    int8_t *y = (int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1));
    uint32_t n = bp_record_last_dim(tx), elems = bp_record_elems(tx);
    const uint8_t *exp_q31 = model->image + (size_t)bp_softmax_table(op);
    for (uint32_t done = 0; done < elems; done += n) {
        bp_softmax_s8(y + done, x + done, exp_q31, (uint16_t)n);
    }
}
