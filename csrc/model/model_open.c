#include <byteprop/config.h>
#include <byteprop/crc32.h>
#include <byteprop/kernels.h>
#include <byteprop/model.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/rom.h"

/* The checked reader. Nothing in the image is believed: offsets and counts are compared by
 * subtraction from what is known to be there, so no sum can overflow, and all work is bounded by
 * the numbers of records, which the image must really hold. */

enum {
    MAGIC_AT = 0,
    VERSION_AT = 4,
    HEADER_BYTES_AT = 6,
    TOTAL_BYTES_AT = 8,
    CRC_AT = 12,
    FEATURES_AT = 16,
    ARENA_BYTES_AT = 20,
    N_TENSORS_AT = 24,
    N_OPS_AT = 26,
    N_INPUTS_AT = 28,
    N_OUTPUTS_AT = 30,
    TENSORS_OFFSET_AT = 32,
    OPS_OFFSET_AT = 36,
    IO_OFFSET_AT = 40,
    DATA_OFFSET_AT = 44,
    DATA_BYTES_AT = 48,
    NAMES_OFFSET_AT = 52,
    NAMES_BYTES_AT = 56,
    BOUNDARY_OFFSET_AT = 60
};

/* Fields of records that are wanted without the rest. */
enum { TENSOR_ELEMS_AT = 20, TENSOR_ARENA_OFFSET_AT = 24 };
enum { OP_CODE_AT = 0, OP_INPUT_AT = 4, OP_OUTPUT_AT = 6 };

/* What the checks of ops share; tensors' records are read when they are wanted. */
typedef struct {
    const bp_model_t *model;
    uint32_t data_offset;
    uint32_t data_bytes;
} reader_t;

static bool inside(uint32_t offset, uint32_t bytes, uint32_t begin, uint32_t size) {
    return offset >= begin && offset - begin <= size && bytes <= size - (offset - begin);
}

/* A tensor's place in the arena. */
typedef struct {
    uint32_t begin;
    uint32_t bytes;
} span_t;

static const uint8_t *tensor_record(const bp_model_t *model, uint16_t index) {
    return model->image + (size_t)(model->tensors_offset + (uint32_t)index * BP_MODEL_TENSOR_BYTES);
}

static const uint8_t *op_record(const bp_model_t *model, uint16_t index) {
    return model->image + (size_t)(model->ops_offset + (uint32_t)index * BP_MODEL_OP_BYTES);
}

static span_t span_of(const bp_model_t *model, uint16_t tensor) {
    const uint8_t *record = tensor_record(model, tensor);
    span_t span = {bp_rom_u32(record + TENSOR_ARENA_OFFSET_AT),
                   bp_rom_u32(record + TENSOR_ELEMS_AT)};
    return span;
}

static bool overlap(span_t a, span_t b) {
    return a.begin < b.begin + b.bytes && b.begin < a.begin + a.bytes;
}

static bool tensors_overlap(const bp_model_t *model, uint16_t a, uint16_t b) {
    return overlap(span_of(model, a), span_of(model, b));
}

/* --- header --- */

static int check_identity(const uint8_t *image, uint32_t image_bytes) {
    if (((uintptr_t)image & 3) != 0) {
        return BP_E_ALIGN;
    }
    if (image_bytes < BP_MODEL_HEADER_BYTES) {
        return BP_E_TRUNCATED;
    }
    if (bp_rom_u32(image + MAGIC_AT) != BP_MODEL_MAGIC) {
        return BP_E_MAGIC;
    }
    if (bp_rom_u16(image + VERSION_AT) != BP_MODEL_VERSION ||
        bp_rom_u16(image + HEADER_BYTES_AT) != BP_MODEL_HEADER_BYTES) {
        return BP_E_VERSION;
    }
    uint32_t total = bp_rom_u32(image + TOTAL_BYTES_AT);
    if (total < BP_MODEL_HEADER_BYTES || total > image_bytes) {
        return BP_E_TRUNCATED;
    }
    uint32_t crc = bp_crc32_rom(0, image + FEATURES_AT, total - FEATURES_AT);
    return crc == bp_rom_u32(image + CRC_AT) ? BP_OK : BP_E_CRC;
}

static void read_header(bp_model_t *model, const uint8_t *image) {
    model->image = image;
    model->image_bytes = bp_rom_u32(image + TOTAL_BYTES_AT);
    model->crc32 = bp_rom_u32(image + CRC_AT);
    model->arena_bytes = bp_rom_u32(image + ARENA_BYTES_AT);
    model->features = bp_rom_u32(image + FEATURES_AT);
    model->tensors_offset = bp_rom_u32(image + TENSORS_OFFSET_AT);
    model->ops_offset = bp_rom_u32(image + OPS_OFFSET_AT);
    model->io_offset = bp_rom_u32(image + IO_OFFSET_AT);
    model->n_tensors = bp_rom_u16(image + N_TENSORS_AT);
    model->n_ops = bp_rom_u16(image + N_OPS_AT);
    model->n_inputs = bp_rom_u16(image + N_INPUTS_AT);
    model->n_outputs = bp_rom_u16(image + N_OUTPUTS_AT);
}

static int check_section(const bp_model_t *model, uint32_t offset, uint32_t bytes) {
    if ((offset & 3) != 0) {
        return BP_E_ALIGN;
    }
    uint32_t body = model->image_bytes - BP_MODEL_HEADER_BYTES;
    return inside(offset, bytes, BP_MODEL_HEADER_BYTES, body) ? BP_OK : BP_E_BOUNDS;
}

static int check_counts(const bp_model_t *model) {
    if (model->n_tensors > BP_MODEL_MAX_TENSORS || model->n_ops > BP_MODEL_MAX_OPS ||
        model->n_inputs == 0 || model->n_inputs > model->n_tensors || model->n_outputs == 0 ||
        model->n_outputs > model->n_tensors) {
        return BP_E_BOUNDS;
    }
    return model->arena_bytes <= BP_MODEL_MAX_ARENA_BYTES ? BP_OK : BP_E_ARENA;
}

static int check_names(const bp_model_t *model) {
    uint32_t offset = bp_rom_u32(model->image + NAMES_OFFSET_AT);
    uint32_t bytes = bp_rom_u32(model->image + NAMES_BYTES_AT);
    if (bytes == 0) {
        return BP_OK;
    }
    int status = check_section(model, offset, bytes);
    if (status != BP_OK) {
        return status;
    }
    /* The last byte ends the last name, so that no name runs out of the section. */
    return BP_ROM_U8(model->image + (size_t)(offset + bytes - 1)) == 0 ? BP_OK : BP_E_BOUNDS;
}

/* Only the host reads the constants of the float boundary, and checks them there. */
static int check_boundary(const bp_model_t *model) {
    uint32_t offset = bp_rom_u32(model->image + BOUNDARY_OFFSET_AT);
    return offset == 0 ? BP_OK : check_section(model, offset, sizeof(uint32_t));
}

static int check_sections(const reader_t *reader) {
    const bp_model_t *model = reader->model;
    int status = check_counts(model);
    if (status == BP_OK) {
        status = check_section(model, model->tensors_offset,
                               (uint32_t)model->n_tensors * BP_MODEL_TENSOR_BYTES);
    }
    if (status == BP_OK) {
        status =
            check_section(model, model->ops_offset, (uint32_t)model->n_ops * BP_MODEL_OP_BYTES);
    }
    if (status == BP_OK) {
        uint32_t indices = (uint32_t)model->n_inputs + model->n_outputs;
        status = check_section(model, model->io_offset, 2 * indices);
    }
    if (status == BP_OK) {
        status = check_section(model, reader->data_offset, reader->data_bytes);
    }
    if (status == BP_OK) {
        status = check_boundary(model);
    }
    return status == BP_OK ? check_names(model) : status;
}

/* --- tensors --- */

/* Product of the dims, 0 when it leaves the limit or a dim is 0 or an unused dim is not 1. */
static uint32_t elems_of(const bp_tensor_t *tensor) {
    uint32_t elems = 1;
    for (uint8_t i = 0; i < 4; ++i) {
        uint32_t dim = tensor->dims[i];
        if (dim == 0 || (i >= tensor->rank && dim != 1) || dim > BP_MODEL_MAX_ARENA_BYTES / elems) {
            return 0;
        }
        elems *= dim;
    }
    return elems;
}

static int check_tensor(const bp_tensor_t *tensor, const bp_model_t *model) {
    if (tensor->dtype != BP_DTYPE_INT8 && tensor->dtype != BP_DTYPE_UINT8) {
        return BP_E_DTYPE;
    }
    if (tensor->rank > BP_MODEL_MAX_RANK || tensor->elems == 0 ||
        tensor->elems != elems_of(tensor)) {
        return BP_E_SHAPE;
    }
    if ((tensor->arena_offset & 3) != 0) {
        return BP_E_ALIGN;
    }
    if (!inside(tensor->arena_offset, tensor->elems, 0, model->arena_bytes)) {
        return BP_E_ARENA;
    }
    int32_t lowest = tensor->dtype == BP_DTYPE_INT8 ? -128 : 0;
    if (tensor->zero_point < lowest || tensor->zero_point > lowest + 255 ||
        (tensor->flags & ~(uint16_t)BP_TENSOR_FLOAT_BORDER) != 0) {
        return BP_E_PARAM;
    }
    uint32_t names_offset = bp_rom_u32(model->image + NAMES_OFFSET_AT);
    uint32_t names_bytes = bp_rom_u32(model->image + NAMES_BYTES_AT);
    if (tensor->name_offset != 0 && !inside(tensor->name_offset, 1, names_offset, names_bytes)) {
        return BP_E_BOUNDS;
    }
    return BP_OK;
}

static int check_tensors(const bp_model_t *model) {
    bp_tensor_t tensor;
    for (uint16_t i = 0; i < model->n_tensors; ++i) {
        bp_model_tensor(&tensor, model, i);
        int status = check_tensor(&tensor, model);
        if (status != BP_OK) {
            return status;
        }
    }
    return BP_OK;
}

/* Outputs may share a place, or be the same tensor, so that all of them together need a limit. */
static int check_output_indices(const bp_model_t *model) {
    uint32_t left = BP_MODEL_MAX_ARENA_BYTES;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        uint16_t index = bp_model_output(model, i);
        if (index >= model->n_tensors) {
            return BP_E_BOUNDS;
        }
        uint32_t bytes = span_of(model, index).bytes;
        if (bytes > left) {
            return BP_E_ARENA;
        }
        left -= bytes;
    }
    return BP_OK;
}

/* Inputs have places of their own, so that all of them together fit in the arena. */
static int check_input_indices(const bp_model_t *model) {
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        if (bp_model_input(model, i) >= model->n_tensors) {
            return BP_E_BOUNDS;
        }
        for (uint16_t k = 0; k < i; ++k) {
            if (tensors_overlap(model, bp_model_input(model, i), bp_model_input(model, k))) {
                return BP_E_OVERLAP;
            }
        }
    }
    return BP_OK;
}

/* --- ops --- */

static bool is_scaling(int32_t mult_q31, int32_t lshift) {
    return (mult_q31 == 0 || mult_q31 >= ((int32_t)1 << 30)) && lshift >= -31 && lshift <= 30;
}

static int check_data(const reader_t *reader, uint32_t offset, uint32_t bytes, uint8_t align) {
    if ((offset & (uint32_t)(align - 1)) != 0) {
        return BP_E_ALIGN;
    }
    return inside(offset, bytes, reader->data_offset, reader->data_bytes) ? BP_OK : BP_E_BOUNDS;
}

static int check_scalings(const reader_t *reader, const bp_op_t *op, uint32_t n) {
    const uint8_t *mult = reader->model->image + (size_t)op->args[2];
    const uint8_t *lshift = reader->model->image + (size_t)op->args[3];
    for (uint32_t i = 0; i < n; ++i) {
        if (!is_scaling(BP_ROM_I32(mult + (size_t)(4 * i)), BP_ROM_I8(lshift + (size_t)i))) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

/* Kernels may compute whole words of a row, so what fills a row up must be zero. */
static int check_padding(const reader_t *reader, uint32_t weights, uint32_t n_in, uint32_t n_out) {
    uint32_t row_bytes = (n_in + 3) & ~(uint32_t)3;
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

static int check_dense(const reader_t *reader, const bp_op_t *op, const bp_tensor_t *x,
                       const bp_tensor_t *y) {
    uint32_t n_out = bp_tensor_last_dim(y);
    uint32_t rows = y->elems / n_out;
    uint32_t n_in = x->elems / rows;
    if (op->layout != BP_LAYOUT_ROWS || (op->flags & ~(BP_OP_PER_CHANNEL | BP_OP_HAS_BIAS)) != 0) {
        return BP_E_PARAM;
    }
    if (n_in == 0 || n_in * rows != x->elems || n_in > BP_DENSE_MAX_INPUTS ||
        n_out > BP_DENSE_MAX_OUTPUTS) {
        return BP_E_SHAPE;
    }
    if (tensors_overlap(reader->model, op->input, op->output)) {
        return BP_E_OVERLAP;
    }
    uint32_t channels = (op->flags & BP_OP_PER_CHANNEL) != 0 ? n_out : 1;
    const uint32_t bytes[5] = {n_out * ((n_in + 3) & ~(uint32_t)3), 4 * n_out, 4 * channels,
                               channels, 4 * channels};
    for (uint8_t i = 0; i < 5; ++i) {
        int status = check_data(reader, op->args[i], bytes[i], i == 3 ? 1 : 4);
        if (status != BP_OK) {
            return status;
        }
    }
    int status = check_scalings(reader, op, channels);
    return status == BP_OK ? check_padding(reader, op->args[0], n_in, n_out) : status;
}

static int check_rescale(const bp_op_t *op, const bp_tensor_t *x, const bp_tensor_t *y) {
    if (x->elems != y->elems) {
        return BP_E_SHAPE;
    }
    int32_t mult_q31 = (int32_t)op->args[0];
    return is_scaling(mult_q31, (int32_t)op->args[1]) ? BP_OK : BP_E_PARAM;
}

static int check_softmax(const reader_t *reader, const bp_op_t *op, const bp_tensor_t *x,
                         const bp_tensor_t *y) {
    uint32_t n = bp_tensor_last_dim(x);
    if (x->elems != y->elems || n > BP_SOFTMAX_MAX_ELEMS) {
        return BP_E_SHAPE;
    }
    int status = check_data(reader, op->args[0], 4 * 256, 4);
    if (status != BP_OK) {
        return status;
    }
    const uint8_t *exp_q31 = reader->model->image + (size_t)op->args[0];
    for (uint16_t d = 0; d < 256; ++d) {
        int32_t value = BP_ROM_I32(exp_q31 + 4 * d);
        if (value < 0 || (d == 0 && value != INT32_MAX)) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

/* Data types, output range, and where input and output may lie; the same for all ops but for what
 * a dense layer adds. */
static int check_common(const bp_model_t *model, const bp_op_t *op, const bp_tensor_t *x,
                        const bp_tensor_t *y) {
    bool any_dtype = op->code == BP_OP_RESCALE || op->code == BP_OP_RESHAPE;
    if (any_dtype ? op->code == BP_OP_RESHAPE && x->dtype != y->dtype
                  : x->dtype != BP_DTYPE_INT8 || y->dtype != BP_DTYPE_INT8) {
        return BP_E_DTYPE;
    }
    int16_t lowest = y->dtype == BP_DTYPE_INT8 ? -128 : 0;
    if (op->y_min > op->y_max || op->y_min < lowest || op->y_max > lowest + 255 ||
        op->activation > BP_ACT_RELU_0_TO_1) {
        return BP_E_PARAM;
    }
    bool in_place = x->arena_offset == y->arena_offset;
    return !in_place && tensors_overlap(model, op->input, op->output) ? BP_E_OVERLAP : BP_OK;
}

/* The op wrote to a place without changing what is there: a RESHAPE in place. */
static bool is_inert(const bp_model_t *model, const uint8_t *op) {
    return BP_ROM_U8(op + OP_CODE_AT) == BP_OP_RESHAPE &&
           span_of(model, bp_rom_u16(op + OP_INPUT_AT)).begin ==
               span_of(model, bp_rom_u16(op + OP_OUTPUT_AT)).begin;
}

/* The tensor still holds its values before op `end` runs: the last op that changed its place wrote
 * this tensor, or none did and it is an input of the graph. */
static int check_alive(const bp_model_t *model, uint16_t tensor, uint16_t end) {
    while (end-- != 0) {
        const uint8_t *op = op_record(model, end);
        uint16_t output = bp_rom_u16(op + OP_OUTPUT_AT);
        if (output == tensor) {
            return BP_OK;
        }
        if (tensors_overlap(model, tensor, output) && !is_inert(model, op)) {
            return BP_E_OVERLAP;
        }
    }
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        if (bp_model_input(model, i) == tensor) {
            return BP_OK;
        }
    }
    return BP_E_ORDER;
}

static int check_op(const reader_t *reader, uint16_t index) {
    const bp_model_t *model = reader->model;
    bp_op_t op;
    bp_tensor_t x, y;
    bp_model_op(&op, model, index);
    if (op.input >= model->n_tensors || op.output >= model->n_tensors) {
        return BP_E_BOUNDS;
    }
    if (op.code < BP_OP_DENSE_S8 || op.code > BP_OP_RESHAPE) {
        return BP_E_OP;
    }
    bp_model_tensor(&x, model, op.input);
    bp_model_tensor(&y, model, op.output);
    int status = check_common(model, &op, &x, &y);
    if (status != BP_OK) {
        return status;
    }
    switch (op.code) {
    case BP_OP_DENSE_S8:
        return check_dense(reader, &op, &x, &y);
    case BP_OP_RESCALE:
        return check_rescale(&op, &x, &y);
    case BP_OP_SOFTMAX_S8:
        return check_softmax(reader, &op, &x, &y);
    default:
        return x.elems == y.elems ? BP_OK : BP_E_SHAPE;
    }
}

static int check_ops(const reader_t *reader) {
    const bp_model_t *model = reader->model;
    uint32_t features = 0;
    for (uint16_t i = 0; i < model->n_ops; ++i) {
        int status = check_op(reader, i);
        if (status == BP_OK) {
            const uint8_t *op = op_record(model, i);
            features |= (uint32_t)1 << BP_ROM_U8(op + OP_CODE_AT);
            status = check_alive(model, bp_rom_u16(op + OP_INPUT_AT), i);
        }
        if (status != BP_OK) {
            return status;
        }
    }
    return features == model->features ? BP_OK : BP_E_OP;
}

static int check_outputs(const bp_model_t *model) {
    int status = BP_OK;
    for (uint16_t i = 0; i < model->n_outputs && status == BP_OK; ++i) {
        status = check_alive(model, bp_model_output(model, i), model->n_ops);
    }
    return status;
}

static int check_model(const reader_t *reader) {
    int status = check_sections(reader);
    if (status == BP_OK) {
        status = check_tensors(reader->model);
    }
    if (status == BP_OK) {
        status = check_input_indices(reader->model);
    }
    if (status == BP_OK) {
        status = check_output_indices(reader->model);
    }
    if (status == BP_OK) {
        status = check_ops(reader);
    }
    return status == BP_OK ? check_outputs(reader->model) : status;
}

int bp_model_open(bp_model_t *model, const uint8_t *image, uint32_t image_bytes) {
    *model = (bp_model_t){0};
    int status = check_identity(image, image_bytes);
    if (status != BP_OK) {
        return status;
    }
    read_header(model, image);
    const reader_t reader = {model, bp_rom_u32(image + DATA_OFFSET_AT),
                             bp_rom_u32(image + DATA_BYTES_AT)};
    status = check_model(&reader);
    if (status != BP_OK) {
        *model = (bp_model_t){0};
    }
    return status;
}
