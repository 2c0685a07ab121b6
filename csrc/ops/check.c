#include "ops/ops.h"

/* What several ops have in common; below the table of ops, which calls them. */

const uint8_t *bp_operand_record(const bp_model_t *model, const bp_op_t *op, uint16_t operand) {
    return bp_tensor_record(model, BP_ROM_U16(op->operands + 2u * operand));
}

bool bp_is_inside(uint32_t offset, uint32_t bytes, uint32_t begin, uint32_t size) {
    return offset >= begin && offset - begin <= size && bytes <= size - (offset - begin);
}

bp_status_t bp_check_data(const bp_reader_t *reader, uint32_t offset, uint32_t bytes,
                          uint8_t align) {
    if ((offset & (uint32_t)(align - 1)) != 0) {
        return BP_E_ALIGN;
    }
    return bp_is_inside(offset, bytes, reader->data_offset, reader->data_bytes) ? BP_OK
                                                                                : BP_E_BOUNDS;
}

bool bp_records_overlap(const uint8_t *a, const uint8_t *b) {
    uint32_t a_begin = bp_record_offset(a), b_begin = bp_record_offset(b);
    return a_begin < b_begin + bp_record_bytes(b) && b_begin < a_begin + bp_record_bytes(a);
}

bp_status_t bp_check_range(uint8_t activation, int16_t y_min, int16_t y_max, uint8_t dtype) {
    int16_t lowest = dtype == BP_DTYPE_INT8 ? -128 : 0;
    return y_min > y_max || y_min < lowest || y_max > lowest + 255 ||
                   activation > BP_ACT_RELU_0_TO_1
               ? BP_E_PARAM
               : BP_OK;
}

bool bp_is_scaling(int32_t mult_q31, int32_t lshift) {
    return (mult_q31 == 0 || mult_q31 >= ((int32_t)1 << 30)) && lshift >= -31 && lshift <= 30;
}

bp_status_t bp_check_scalings(const bp_reader_t *reader, uint32_t mult_q31, uint32_t lshift,
                              uint32_t n) {
    const uint8_t *mult = reader->model->image + (size_t)mult_q31;
    const uint8_t *shift = reader->model->image + (size_t)lshift;
    for (uint32_t i = 0; i < n; ++i) {
        if (!bp_is_scaling(BP_ROM_I32(mult + (size_t)(4 * i)), BP_ROM_I8(shift + (size_t)i))) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

bp_status_t bp_check_row_padding(const bp_reader_t *reader, uint32_t weights, uint32_t n_in,
                                 uint32_t n_out) {
    uint32_t row_bytes = bp_row_stride(n_in);
    for (uint32_t end = weights; row_bytes != n_in && n_out != 0; --n_out) {
        end += row_bytes;
        for (uint32_t i = n_in; i < row_bytes; ++i) {
            if (BP_ROM_U8(reader->model->image + (size_t)(end - row_bytes + i)) != 0) {
                return BP_E_PARAM;
            }
        }
    }
    return BP_OK;
}
