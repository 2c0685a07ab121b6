#include "ops/dense.h"

#include <byteprop/kernels.h>

#include "ops/ops.h"

/* FULLY_CONNECTED. Its words: layout u8, activation u8, flags u8, 0; y_min i16, y_max i16; offsets
 * of weights, biases, multipliers, shifts, weight scales. */

enum { Y_MIN = 4, Y_MAX = 6 };

void bp_dense_record(bp_dense_record_t *record, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *p = op->params;
    const uint8_t *x = bp_operand_record(model, op, 0), *y = bp_operand_record(model, op, 1);
    record->activation = BP_ROM_U8(p + 1);
    record->flags = BP_ROM_U8(p + BP_DENSE_FLAGS);
    record->y_min = (int16_t)BP_ROM_U16(p + Y_MIN);
    record->y_max = (int16_t)BP_ROM_U16(p + Y_MAX);
    record->x_zp = bp_record_zero_point(x);
    record->y_zp = bp_record_zero_point(y);
    record->n_out = bp_record_last_dim(y);
    record->rows = bp_record_elems(y) / record->n_out;
    record->n_in = bp_record_elems(x) / record->rows;
}

static const uint8_t *part_of(const bp_model_t *model, const bp_op_t *op, uint8_t part) {
    return model->image + (size_t)bp_dense_part(op, part);
}

static uint32_t channels_of(const bp_dense_record_t *record) {
    return (record->flags & BP_OP_PER_CHANNEL) != 0 ? record->n_out : 1;
}

uint32_t bp_dense_part_bytes(const bp_dense_record_t *record, uint8_t part) {
    switch (part) {
    case 0:
        return record->n_out * bp_row_stride(record->n_in);
    case 1:
        return 4 * record->n_out;
    case BP_DENSE_LSHIFTS:
        return channels_of(record);
    default:
        return 4 * channels_of(record);
    }
}

static bp_status_t check_parts(const bp_reader_t *reader, const bp_op_t *op,
                               const bp_dense_record_t *record) {
    for (uint8_t i = 0; i < BP_DENSE_PARTS; ++i) {
        BP_TRY(bp_check_data(reader, bp_dense_part(op, i), bp_dense_part_bytes(record, i),
                             i == BP_DENSE_LSHIFTS ? 1 : 4));
    }
    return BP_OK;
}

/* Asked for outside of functions: where these are not inlined, the code of HALFWORDS would be linked. */
enum { WITH_HALFWORDS = (BP_LAYOUTS & 1 << BP_LAYOUT_HALFWORDS) != 0 };

static bool has_halfwords(const bp_op_t *op) {
    return BP_ROM_U8(op->params) == BP_LAYOUT_HALFWORDS;
}

static bp_status_t check_weights(const bp_reader_t *reader, const bp_op_t *op,
                                 const bp_dense_record_t *record) {
    const uint32_t weights = bp_dense_part(op, 0);
    bp_rows_t rows = {bp_dense_part_bytes(record, 0), record->n_in, record->n_out,
                      channels_of(record)};
    if (WITH_HALFWORDS && has_halfwords(op)) {
        rows.weight_bytes = 0; /* they are checked here, and bytes are no weights */
        BP_TRY(bp_check_halfwords(reader, weights, record->n_in, record->n_out));
    } else {
        BP_TRY(bp_check_row_padding(reader, weights, record->n_in, record->n_out));
    }
    return bp_check_fast(reader, record->flags, op->params + BP_DENSE_PART, &rows);
}

bp_status_t bp_op_dense_check(const bp_reader_t *reader, const bp_op_t *op) {
    const bp_model_t *model = reader->model;
    bp_dense_record_t record;
    bp_dense_record(&record, model, op);
    if (record.n_in == 0 || record.n_in > BP_DENSE_MAX_INPUTS ||
        record.n_out > BP_DENSE_MAX_OUTPUTS ||
        record.n_in * record.rows != bp_record_elems(bp_operand_record(model, op, 0))) {
        return BP_E_SHAPE;
    }
    const bool halfwords = WITH_HALFWORDS && has_halfwords(op);
    if ((!halfwords && BP_ROM_U8(op->params) != BP_LAYOUT_ROWS) ||
        (halfwords && (record.flags & BP_OP_FAST) == 0) ||
        (record.flags & ~(BP_OP_PER_CHANNEL | BP_OP_HAS_BIAS | BP_OP_FAST)) != 0) {
        return BP_E_PARAM;
    }
    BP_TRY(bp_check_range(record.activation, record.y_min, record.y_max, BP_DTYPE_INT8));
    BP_TRY(check_parts(reader, op, &record));
    BP_TRY(bp_check_scalings(reader, bp_dense_part(op, BP_DENSE_MULTIPLIERS),
                             bp_dense_part(op, BP_DENSE_LSHIFTS), channels_of(&record)));
    return check_weights(reader, op, &record);
}

void bp_op_dense_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const int8_t *x = (const int8_t *)arena + (size_t)bp_record_offset(tx);
    int8_t *y = (int8_t *)arena + (size_t)bp_record_offset(ty);
    uint32_t n_in = bp_record_elems(tx), n_out = bp_record_last_dim(ty), rows = 1;
    /* Where there is no division, two cost more than a small layer. */
    if (bp_record_elems(ty) != n_out) {
        rows = bp_record_elems(ty) / n_out;
        n_in /= rows;
    }
    const uint8_t *p = op->params;
    const bp_dense_s8_t dense = {
        .weights = part_of(model, op, 0),
        .bias = part_of(model, op, 1),
        .mult_q31 = part_of(model, op, BP_DENSE_MULTIPLIERS),
        .lshift = part_of(model, op, BP_DENSE_LSHIFTS),
        .n_in = (uint16_t)n_in,
        .n_out = (uint16_t)n_out,
        .row_stride = (uint16_t)bp_row_stride(n_in),
        .per_channel = (BP_ROM_U8(p + BP_DENSE_FLAGS) & BP_OP_PER_CHANNEL) != 0,
        .y_zp = (int8_t)bp_record_zero_point(ty),
        .y_min = BP_ROM_I8(p + Y_MIN), /* the range is one of int8 */
        .y_max = BP_ROM_I8(p + Y_MAX),
        .fast = BP_FAST_OPS && (BP_ROM_U8(p + BP_DENSE_FLAGS) & BP_OP_FAST) != 0,
    };
    for (; rows != 0; --rows) {
        (WITH_HALFWORDS && has_halfwords(op) ? bp_dense_halfwords_s8 : bp_dense_s8)(y, x, &dense);
        y += n_out;
        x += n_in;
    }
}
