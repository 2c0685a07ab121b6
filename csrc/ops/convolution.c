#include "ops/convolution.h"

#include "ops/window.h"

/* The words of a convolution: layout u8, activation u8, flags u8, 0; y_min i16, y_max i16; the
 * window; groups u16, 0; offsets of weights, biases, multipliers, shifts, weight scales. */

enum { LAYOUT = 0, ACTIVATION = BP_CONV_ACTIVATION, FLAGS = BP_CONV_FLAGS, Y_MIN = 4, Y_MAX = 6 };
enum { WINDOW = 8, GROUPS = 24 };
enum { WEIGHTS = BP_CONV_PART, BIAS = 32, MULTIPLIERS = 36, LSHIFTS = 40, WEIGHT_SCALES = 44 };

static void read_shape(bp_conv_shape_t *shape, const uint8_t *tx, const uint8_t *ty,
                       const uint8_t *params) {
    shape->batch = bp_record_dim(ty, BP_AXIS_BATCH);
    shape->x_height = bp_record_dim(tx, BP_AXIS_HEIGHT);
    shape->x_width = bp_record_dim(tx, BP_AXIS_WIDTH);
    shape->x_channels = bp_record_dim(tx, BP_AXIS_CHANNELS);
    shape->y_height = bp_record_dim(ty, BP_AXIS_HEIGHT);
    shape->y_width = bp_record_dim(ty, BP_AXIS_WIDTH);
    shape->y_channels = bp_record_dim(ty, BP_AXIS_CHANNELS);
    bp_window_record(shape->window, params + WINDOW);
}

void bp_conv_record(bp_conv_s8_t *conv, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    const uint8_t *params = op->params;
    read_shape(&conv->shape, tx, ty, params);
    conv->weights = model->image + (size_t)BP_ROM_U32(params + WEIGHTS);
    conv->bias = model->image + (size_t)BP_ROM_U32(params + BIAS);
    conv->mult_q31 = model->image + (size_t)BP_ROM_U32(params + MULTIPLIERS);
    conv->lshift = model->image + (size_t)BP_ROM_U32(params + LSHIFTS);
    conv->groups = BP_ROM_U16(params + GROUPS);
    conv->x_zp = (int8_t)bp_record_zero_point(tx);
    conv->y_zp = (int8_t)bp_record_zero_point(ty);
    conv->y_min = BP_ROM_I8(params + Y_MIN); /* the range is one of int8 */
    conv->y_max = BP_ROM_I8(params + Y_MAX);
    conv->fast = (BP_ROM_U8(params + FLAGS) & BP_OP_FAST) != 0;
}

void bp_conv_row_record(bp_conv_s8_t *conv, const bp_model_t *model, const bp_op_t *op,
                        const bp_op_row_t *row) {
    bp_conv_record(conv, model, op);
    conv->shape.x_height = row->height;
    conv->shape.y_height = 1;
    conv->shape.window[0].pad = row->pad;
}

static bp_status_t check_shapes(const bp_reader_t *reader, const bp_op_t *op,
                                const bp_conv_shape_t *s) {
    const uint8_t *tx = bp_operand_record(reader->model, op, 0);
    const uint8_t *ty = bp_operand_record(reader->model, op, 1);
    if (bp_record_rank(tx) != BP_IMAGE_RANK || bp_record_rank(ty) != BP_IMAGE_RANK ||
        bp_record_dim(tx, BP_AXIS_BATCH) != s->batch || s->x_channels > BP_DENSE_MAX_INPUTS ||
        s->y_channels > BP_DENSE_MAX_OUTPUTS) {
        return BP_E_SHAPE;
    }
    for (uint8_t i = 0; i < 2; ++i) {
        if (s->window[i].kernel == 0 || s->window[i].stride == 0 || s->window[i].dilation == 0) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

/* What belongs to each output channel. */
static bp_status_t check_channels(const bp_reader_t *reader, const bp_op_t *op, uint32_t n) {
    BP_TRY(bp_check_data(reader, BP_ROM_U32(op->params + BIAS), 4 * n, 4));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(op->params + MULTIPLIERS), 4 * n, 4));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(op->params + LSHIFTS), n, 1));
    BP_TRY(bp_check_data(reader, BP_ROM_U32(op->params + WEIGHT_SCALES), 4 * n, 4));
    return bp_check_scalings(reader, BP_ROM_U32(op->params + MULTIPLIERS),
                             BP_ROM_U32(op->params + LSHIFTS), n);
}

bp_status_t bp_check_conv(const bp_reader_t *reader, const bp_op_t *op, const bp_conv_s8_t *conv) {
    const uint8_t *p = op->params;
    BP_TRY(check_shapes(reader, op, &conv->shape));
    if (BP_ROM_U8(p + LAYOUT) != BP_LAYOUT_ROWS ||
        (BP_ROM_U8(p + FLAGS) & ~(BP_OP_FAST | BP_OP_ONE_SCALE)) != 0) {
        return BP_E_PARAM;
    }
    BP_TRY(bp_check_range(BP_ROM_U8(p + ACTIVATION), (int16_t)BP_ROM_U16(p + Y_MIN),
                          (int16_t)BP_ROM_U16(p + Y_MAX), BP_DTYPE_INT8));
    return check_channels(reader, op, conv->shape.y_channels);
}

bp_status_t bp_check_conv_window(const bp_reader_t *reader, const bp_op_t *op,
                                 const bp_conv_s8_t *conv) {
    return bp_check_window(conv->shape.window, bp_operand_record(reader->model, op, 0),
                           bp_operand_record(reader->model, op, 1));
}

bp_status_t bp_check_rows(const bp_reader_t *reader, const bp_op_t *op, uint32_t n_in,
                          uint32_t y_channels) {
    const uint32_t weights = BP_ROM_U32(op->params + WEIGHTS);
    BP_TRY(bp_check_data(reader, weights, bp_row_stride(n_in) * y_channels, 4));
    return bp_check_row_padding(reader, weights, n_in, y_channels);
}

bp_status_t bp_check_fast_conv(const bp_reader_t *reader, const bp_op_t *op, uint32_t n_in,
                               uint32_t weight_bytes) {
    const uint32_t n = bp_record_dim(bp_operand_record(reader->model, op, 1), BP_AXIS_CHANNELS);
    const bp_rows_t rows = {weight_bytes, n_in, n, n};
    return bp_check_fast(reader, BP_ROM_U8(op->params + FLAGS), op->params + WEIGHTS, &rows);
}

bp_status_t bp_check_taps(const bp_reader_t *reader, const bp_op_t *op, uint32_t n) {
    return bp_check_data(reader, BP_ROM_U32(op->params + WEIGHTS), n, 4);
}

bp_status_t bp_check_scratch_bytes(const bp_reader_t *reader, const bp_op_t *op, uint32_t bytes) {
    const uint8_t *scratch =
        bp_operand_record(reader->model, op, (uint16_t)(op->n_inputs + op->n_outputs - 1));
    return bp_record_elems(scratch) == bytes ? BP_OK : BP_E_SHAPE;
}

bp_status_t bp_check_distance(const bp_reader_t *reader, const bp_op_t *op, uint8_t first,
                              uint8_t second, uint32_t distance) {
    const uint8_t *a = bp_operand_record(reader->model, op, first);
    const uint8_t *b = bp_operand_record(reader->model, op, second);
    const uint32_t begin = bp_record_offset(a), end = bp_record_offset(b);
    return !bp_records_overlap(a, b) || (begin <= end && end - begin >= distance) ? BP_OK
                                                                                  : BP_E_OVERLAP;
}
