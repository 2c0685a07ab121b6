#include <byteprop/kernels.h>

#include "ops/ops.h"

/* UNIDIRECTIONAL_SEQUENCE_LSTM. Operands: x, h, c; y, h, c, and scratch memory for the new h. x and y
 * are [batch][steps][n], or with time_major [steps][batch][n]; h [batch][n_cell] and c, two bytes per
 * cell, are states. Its words: time_major u8, integer bits of c u8, 0, 0; cell_clip u16, 0; then for
 * each gate offsets of weights, recurrent weights, biases and recurrent biases, multiplier and shift,
 * recurrent multiplier and shift; then multiplier and shift of h; then 8 weight scales (f32, host
 * only). */

enum { X, H, C, Y, H_OUT, C_OUT, NEW_H };               /* operands */
enum { TIME_MAJOR = 0, INTEGER_BITS = 1, CELL_CLIP = 4, GATES = 8, GATE_BYTES = 32 };
enum { HIDDEN = GATES + BP_GATES * GATE_BYTES };
enum { MAX_INTEGER_BITS = 6 };

typedef struct {
    uint32_t batch;
    uint32_t steps;
    uint32_t n_in;
    uint32_t n_cell;
} shape_t;

static shape_t shape_of(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(model, op, X), *y = bp_operand_record(model, op, Y);
    const uint8_t batch_axis = BP_ROM_U8(op->params + TIME_MAJOR) != 0;
    const shape_t shape = {bp_record_dim(x, batch_axis), bp_record_dim(x, !batch_axis),
                           bp_record_dim(x, 2), bp_record_dim(y, 2)};
    return shape;
}

static bp_status_t check_shape(const bp_model_t *model, const bp_op_t *op, const shape_t *shape) {
    const uint8_t *x = bp_operand_record(model, op, X), *y = bp_operand_record(model, op, Y);
    if (bp_record_rank(x) != 3 || bp_record_rank(y) != 3 ||
        bp_record_dim(x, 0) != bp_record_dim(y, 0) || bp_record_dim(x, 1) != bp_record_dim(y, 1) ||
        shape->n_in > BP_DENSE_MAX_INPUTS || shape->n_cell > BP_DENSE_MAX_INPUTS ||
        bp_record_elems(bp_operand_record(model, op, H)) != shape->batch * shape->n_cell ||
        bp_record_elems(bp_operand_record(model, op, C)) != 2 * shape->batch * shape->n_cell ||
        bp_record_elems(bp_operand_record(model, op, NEW_H)) != shape->n_cell) {
        return BP_E_SHAPE;
    }
    return BP_OK;
}

/* The states are inputs and outputs; x is read when parts of y have been written. */
static bp_status_t check_places(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *h = bp_operand_record(model, op, H), *c = bp_operand_record(model, op, C);
    const uint8_t *x = bp_operand_record(model, op, X), *y = bp_operand_record(model, op, Y);
    if (bp_operand_record(model, op, H_OUT) != h || bp_operand_record(model, op, C_OUT) != c ||
        bp_record_kind(h) != BP_KIND_STATE || bp_record_kind(c) != BP_KIND_STATE) {
        return BP_E_KIND;
    }
    return x == h || x == c || y == h || y == c || bp_records_overlap(x, y) ? BP_E_OVERLAP : BP_OK;
}

static bp_status_t check_gate(const bp_reader_t *reader, const uint8_t *p, const shape_t *shape) {
    const uint32_t in_bytes = shape->n_cell * bp_row_stride(shape->n_in);
    const uint32_t recurrent_bytes = shape->n_cell * bp_row_stride(shape->n_cell);
    const uint32_t bytes[] = {in_bytes, recurrent_bytes, 4 * shape->n_cell, 4 * shape->n_cell};
    for (uint8_t i = 0; i < 4; ++i) {
        BP_TRY(bp_check_data(reader, BP_ROM_U32(p + 4 * i), bytes[i], 4));
    }
    if (!bp_is_scaling(BP_ROM_I32(p + 16), BP_ROM_I32(p + 20)) ||
        !bp_is_scaling(BP_ROM_I32(p + 24), BP_ROM_I32(p + 28))) {
        return BP_E_PARAM;
    }
    BP_TRY(bp_check_row_padding(reader, BP_ROM_U32(p), shape->n_in, shape->n_cell));
    return bp_check_row_padding(reader, BP_ROM_U32(p + 4), shape->n_cell, shape->n_cell);
}

bp_status_t bp_op_lstm_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *p = op->params;
    if (BP_ROM_U8(p + TIME_MAJOR) > 1 || BP_ROM_U8(p + INTEGER_BITS) > MAX_INTEGER_BITS ||
        !bp_is_scaling(BP_ROM_I32(p + HIDDEN), BP_ROM_I32(p + HIDDEN + 4))) {
        return BP_E_PARAM;
    }
    const shape_t shape = shape_of(reader->model, op);
    BP_TRY(check_shape(reader->model, op, &shape));
    BP_TRY(check_places(reader->model, op));
    for (uint8_t g = 0; g < BP_GATES; ++g) {
        BP_TRY(check_gate(reader, p + GATES + GATE_BYTES * g, &shape));
    }
    return BP_OK;
}

static void read_gate(bp_lstm_gate_t *gate, const bp_model_t *model, const uint8_t *p) {
    gate->weights = model->image + (size_t)BP_ROM_U32(p);
    gate->recurrent = model->image + (size_t)BP_ROM_U32(p + 4);
    gate->bias = model->image + (size_t)BP_ROM_U32(p + 8);
    gate->recurrent_bias = model->image + (size_t)BP_ROM_U32(p + 12);
    gate->mult_q31 = BP_ROM_I32(p + 16);
    gate->lshift = BP_ROM_I8(p + 20);
    gate->recurrent_mult_q31 = BP_ROM_I32(p + 24);
    gate->recurrent_lshift = BP_ROM_I8(p + 28);
}

static void read_lstm(bp_lstm_s8_t *lstm, const bp_model_t *model, const bp_op_t *op,
                      const shape_t *shape) {
    const uint8_t *p = op->params;
    for (uint8_t g = 0; g < BP_GATES; ++g) {
        read_gate(lstm->gates + g, model, p + GATES + GATE_BYTES * g);
    }
    lstm->hidden_mult_q31 = BP_ROM_I32(p + HIDDEN);
    lstm->hidden_lshift = BP_ROM_I8(p + HIDDEN + 4);
    lstm->h_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, H));
    lstm->cell_integer_bits = BP_ROM_U8(p + INTEGER_BITS);
    lstm->cell_clip = BP_ROM_U16(p + CELL_CLIP);
    lstm->n_in = (uint16_t)shape->n_in;
    lstm->n_cell = (uint16_t)shape->n_cell;
    lstm->row_stride = (uint16_t)bp_row_stride(shape->n_in);
    lstm->recurrent_stride = (uint16_t)bp_row_stride(shape->n_cell);
}

static void copy(int8_t *y, const int8_t *x, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = x[i];
    }
}

void bp_op_lstm_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    int8_t *at[NEW_H + 1];
    for (uint8_t i = 0; i <= NEW_H; ++i) {
        at[i] = (int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, i));
    }
    const shape_t shape = shape_of(model, op);
    const uint32_t n_cell = shape.n_cell;
    const bool time_major = BP_ROM_U8(op->params + TIME_MAJOR) != 0;
    bp_lstm_s8_t lstm;
    read_lstm(&lstm, model, op, &shape);
    for (uint32_t b = 0; b < shape.batch; ++b) {
        int8_t *h = at[H] + (size_t)(b * n_cell);
        uint8_t *c = (uint8_t *)at[C] + (size_t)(2 * b * n_cell);
        for (uint32_t t = 0; t < shape.steps; ++t) {
            const uint32_t row = time_major ? t * shape.batch + b : b * shape.steps + t;
            bp_lstm_step_s8(at[NEW_H], c, at[X] + (size_t)(row * shape.n_in), h, &lstm);
            copy(h, at[NEW_H], n_cell);
            copy(at[Y] + (size_t)(row * n_cell), h, n_cell);
        }
    }
}
