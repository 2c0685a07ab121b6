#include "ops/rescale.h"

#include "ops/ops.h"

/* Integer QUANTIZE, from int16 too, and RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1 on their own. Its words: activation
 * u8, 0, 0, 0; y_min i16, y_max i16; multiplier i32; shift i32. */

uint8_t bp_rescale_activation(const bp_op_t *op) {
    return BP_ROM_U8(op->params);
}

uint32_t bp_rescale_record(bp_rescale_t *rescale, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(model, op, 0), *y = bp_operand_record(model, op, 1);
    rescale->mult_q31 = BP_ROM_I32(op->params + 8);
    rescale->lshift = BP_ROM_I8(op->params + 12);
    rescale->x_unsigned = bp_record_dtype(x) == BP_DTYPE_UINT8;
    rescale->y_unsigned = bp_record_dtype(y) == BP_DTYPE_UINT8;
    rescale->x_zp = bp_record_zero_point(x);
    rescale->y_zp = bp_record_zero_point(y);
    rescale->y_min = (int16_t)BP_ROM_U16(op->params + 4);
    rescale->y_max = (int16_t)BP_ROM_U16(op->params + 6);
    return bp_record_elems(y);
}

bp_status_t bp_op_rescale_check(const bp_reader_t *reader, const bp_op_t *op) {
    bp_rescale_t rescale;
    const uint32_t n = bp_rescale_record(&rescale, reader->model, op);
    const uint8_t *x = bp_operand_record(reader->model, op, 0);
    const bool is_wide = bp_record_dtype(x) == BP_DTYPE_INT16;
    const uint8_t dtype = bp_record_dtype(bp_operand_record(reader->model, op, 1));
    if (dtype == BP_DTYPE_INT16 || (is_wide && dtype != BP_DTYPE_INT8)) {
        return BP_E_DTYPE;
    }
    if (bp_record_elems(x) != (is_wide ? 2 * n : n)) {
        return BP_E_SHAPE;
    }
    if (!bp_is_scaling(rescale.mult_q31, BP_ROM_I32(op->params + 12))) {
        return BP_E_PARAM;
    }
    return bp_check_range(bp_rescale_activation(op), rescale.y_min, rescale.y_max, dtype);
}

void bp_op_rescale_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_rescale_t rescale;
    uint32_t n = bp_rescale_record(&rescale, model, op);
    const uint8_t *tx = bp_operand_record(model, op, 0);
    const uint8_t *x = arena + (size_t)bp_record_offset(tx);
    uint8_t *y = arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1));
    if (bp_record_dtype(tx) == BP_DTYPE_INT16) {
        bp_rescale_16(y, x, n, &rescale);
    } else {
        bp_rescale_8(y, x, n, &rescale);
    }
}

void bp_op_rescale_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                       const bp_op_row_t *row) {
    bp_rescale_t rescale;
    (void)arena;
    (void)bp_rescale_record(&rescale, model, op);
    bp_rescale_8(row->y, row->x, bp_record_stride(bp_operand_record(model, op, 1), 1), &rescale);
}
