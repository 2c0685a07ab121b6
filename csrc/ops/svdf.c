#include <byteprop/kernels.h>

#include "ops/ops.h"

/* SVDF. Operands: x, state; y, state. x is [batch][n_in], y [batch][n_unit]; the state
 * [batch][n_filter][n_memory][1 or 2] has the last values of each filter, oldest first, of one byte or
 * of two. n_filter is rank * n_unit. Its words: rank u16, 0; offsets of the feature weights,
 * their biases, the time weights and the units' biases; multiplier and shift of the features;
 * multiplier and shift of the output; scales of the feature and the time weights (f32, host only). */

enum { X, STATE, Y, STATE_OUT }; /* operands */
enum { RANK = 0, FEATURES = 4, FEATURE_BIAS = 8, TIME = 12, BIAS = 16 };
enum { FEATURE_SCALING = 20, SCALING = 28 };

typedef struct {
    uint32_t batch;
    uint32_t n_in;
    uint32_t n_unit;
    uint32_t n_filter;
    uint32_t n_memory;
    uint32_t value_bytes;
} shape_t;

static shape_t shape_of(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(model, op, X);
    const uint8_t *state = bp_operand_record(model, op, STATE);
    const shape_t shape = {bp_record_dim(x, 0),
                           bp_record_dim(x, 1),
                           bp_record_dim(bp_operand_record(model, op, Y), 1),
                           bp_record_dim(state, 1),
                           bp_record_dim(state, 2),
                           bp_record_dim(state, 3)};
    return shape;
}

static bp_status_t check_shape(const bp_model_t *model, const bp_op_t *op, const shape_t *shape) {
    const uint8_t *x = bp_operand_record(model, op, X), *y = bp_operand_record(model, op, Y);
    const uint8_t *state = bp_operand_record(model, op, STATE);
    const uint16_t rank = BP_ROM_U16(op->params + RANK);
    if (bp_record_rank(x) != 2 || bp_record_rank(y) != 2 || bp_record_rank(state) != 4 ||
        bp_record_dim(y, 0) != shape->batch || bp_record_dim(state, 0) != shape->batch ||
        shape->n_in > BP_DENSE_MAX_INPUTS || shape->n_filter > BP_DENSE_MAX_OUTPUTS ||
        shape->n_memory > UINT16_MAX || shape->value_bytes > 2 ||
        shape->n_filter % rank != 0 || shape->n_filter / rank != shape->n_unit) {
        return BP_E_SHAPE;
    }
    return BP_OK;
}

/* The state is input and output; a later row of x is read when rows of y have been written. */
static bp_status_t check_places(const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *state = bp_operand_record(model, op, STATE);
    const uint8_t *x = bp_operand_record(model, op, X), *y = bp_operand_record(model, op, Y);
    if (bp_operand_record(model, op, STATE_OUT) != state ||
        bp_record_kind(state) != BP_KIND_STATE) {
        return BP_E_KIND;
    }
    if (bp_record_dim(state, 3) == 2 && bp_record_zero_point(state) != 0) {
        return BP_E_PARAM;
    }
    return x == state || y == state || bp_records_overlap(x, y) ? BP_E_OVERLAP : BP_OK;
}

static bp_status_t check_weights(const bp_reader_t *reader, const uint8_t *p,
                                 const shape_t *shape) {
    const uint32_t features = BP_ROM_U32(p + FEATURES);
    BP_TRY(bp_check_data(reader, features, shape->n_filter * bp_row_stride(shape->n_in), 4));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(p + FEATURE_BIAS), 4 * shape->n_filter, 4));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(p + TIME),
                         shape->n_filter * shape->n_memory * shape->value_bytes, 4));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(p + BIAS), 4 * shape->n_unit, 4));
    return bp_check_row_padding(reader, features, shape->n_in, shape->n_filter);
}

bp_status_t bp_op_svdf_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *p = op->params;
    if (BP_ROM_U16(p + RANK) == 0 ||
        !bp_is_scaling(BP_ROM_I32(p + FEATURE_SCALING), BP_ROM_I32(p + FEATURE_SCALING + 4)) ||
        !bp_is_scaling(BP_ROM_I32(p + SCALING), BP_ROM_I32(p + SCALING + 4))) {
        return BP_E_PARAM;
    }
    const shape_t shape = shape_of(reader->model, op);
    BP_TRY(check_shape(reader->model, op, &shape));
    BP_TRY(check_places(reader->model, op));
    return check_weights(reader, p, &shape);
}

static void read_svdf(bp_svdf_s8_t *svdf, const bp_model_t *model, const bp_op_t *op,
                      const shape_t *shape) {
    const uint8_t *p = op->params;
    svdf->features = model->image + (size_t)BP_ROM_U32(p + FEATURES);
    svdf->feature_bias = model->image + (size_t)BP_ROM_U32(p + FEATURE_BIAS);
    svdf->time = model->image + (size_t)BP_ROM_U32(p + TIME);
    svdf->bias = model->image + (size_t)BP_ROM_U32(p + BIAS);
    svdf->feature_mult_q31 = BP_ROM_I32(p + FEATURE_SCALING);
    svdf->feature_lshift = BP_ROM_I8(p + FEATURE_SCALING + 4);
    svdf->mult_q31 = BP_ROM_I32(p + SCALING);
    svdf->lshift = BP_ROM_I8(p + SCALING + 4);
    svdf->y_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, Y));
    svdf->value_zp = (int8_t)bp_record_zero_point(bp_operand_record(model, op, STATE));
    svdf->value_bytes = (uint8_t)shape->value_bytes;
    svdf->n_in = (uint16_t)shape->n_in;
    svdf->row_stride = (uint16_t)bp_row_stride(shape->n_in);
    svdf->n_unit = (uint16_t)shape->n_unit;
    svdf->rank = BP_ROM_U16(p + RANK);
    svdf->n_memory = (uint16_t)shape->n_memory;
}

void bp_op_svdf_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    uint8_t *at[STATE_OUT];
    for (uint8_t i = 0; i < STATE_OUT; ++i) {
        at[i] = arena + (size_t)bp_record_offset(bp_operand_record(model, op, i));
    }
    const shape_t shape = shape_of(model, op);
    bp_svdf_s8_t svdf;
    read_svdf(&svdf, model, op, &shape);
    for (uint32_t b = 0; b < shape.batch; ++b) {
        bp_svdf_s8((int8_t *)at[Y], at[STATE], (const int8_t *)at[X], &svdf);
        at[X] += (size_t)shape.n_in;
        at[STATE] += (size_t)(shape.n_filter * shape.n_memory * shape.value_bytes);
        at[Y] += (size_t)shape.n_unit;
    }
}
