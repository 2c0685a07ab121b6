#include <byteprop/config.h>
#include <byteprop/crc32.h>
#include <byteprop/model.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/model_rows.h"
#include "ops/ops.h"

/* The checked reader. Nothing in the image is trusted: offsets and counts are compared by
 * subtraction from what is known to be there, so no sum can overflow, and all work is bounded by
 * the numbers of records, which the image must really have. What only one op knows is checked in
 * csrc/ops. */

static uint32_t header_u32(const uint8_t *image, uint8_t field) {
    return BP_ROM_U32(image + field);
}

/* --- header --- */

static bp_status_t check_identity(const uint8_t *image, uint32_t image_bytes) {
    if (((uintptr_t)image & 3) != 0) {
        return BP_E_ALIGN;
    }
    if (image_bytes < BP_MODEL_HEADER_BYTES) {
        return BP_E_TRUNCATED;
    }
    if (header_u32(image, BP_HEADER_MAGIC) != BP_MODEL_MAGIC) {
        return BP_E_MAGIC;
    }
    if (header_u32(image, BP_HEADER_VERSION) !=
        (BP_MODEL_VERSION | (uint32_t)BP_MODEL_HEADER_BYTES << 16)) {
        return BP_E_VERSION;
    }
    uint32_t total = header_u32(image, BP_HEADER_TOTAL_BYTES);
    if (total < BP_MODEL_HEADER_BYTES || total > image_bytes) {
        return BP_E_TRUNCATED;
    }
    uint32_t crc = bp_crc32_rom(0, image + BP_MODEL_CRC_FROM, total - BP_MODEL_CRC_FROM);
    return crc == header_u32(image, BP_HEADER_CRC32) ? BP_OK : BP_E_CRC;
}

static void read_header(bp_model_t *model, const uint8_t *image) {
    model->image = image;
    model->image_bytes = header_u32(image, BP_HEADER_TOTAL_BYTES);
    model->crc32 = header_u32(image, BP_HEADER_CRC32);
    model->arena_bytes = header_u32(image, BP_HEADER_ARENA_BYTES);
    model->tensors_offset = header_u32(image, BP_HEADER_TENSORS_OFFSET);
    model->ops_offset = header_u32(image, BP_HEADER_OPS_OFFSET);
    model->io_offset = header_u32(image, BP_HEADER_IO_OFFSET);
    uint32_t tensors_and_ops = header_u32(image, BP_HEADER_N_TENSORS);
    uint32_t inputs_and_outputs = header_u32(image, BP_HEADER_N_INPUTS);
    model->n_tensors = (uint16_t)tensors_and_ops;
    model->n_ops = (uint16_t)(tensors_and_ops >> 16);
    model->n_inputs = (uint16_t)inputs_and_outputs;
    model->n_outputs = (uint16_t)(inputs_and_outputs >> 16);
}

static bp_status_t check_section(const bp_model_t *model, uint32_t offset, uint32_t bytes) {
    if ((offset & 3) != 0) {
        return BP_E_ALIGN;
    }
    uint32_t body = model->image_bytes - BP_MODEL_HEADER_BYTES;
    return bp_is_inside(offset, bytes, BP_MODEL_HEADER_BYTES, body) ? BP_OK : BP_E_BOUNDS;
}

static bp_status_t check_counts(const bp_model_t *model) {
    if (model->n_tensors > BP_MODEL_MAX_TENSORS || model->n_ops > BP_MODEL_MAX_OPS ||
        model->n_inputs == 0 || model->n_inputs > model->n_tensors || model->n_outputs == 0 ||
        model->n_outputs > model->n_tensors) {
        return BP_E_BOUNDS;
    }
    return model->arena_bytes <= BP_MODEL_MAX_ARENA_BYTES ? BP_OK : BP_E_ARENA;
}

static bp_status_t check_names(const bp_model_t *model) {
    uint32_t offset = header_u32(model->image, BP_HEADER_NAMES_OFFSET);
    uint32_t bytes = header_u32(model->image, BP_HEADER_NAMES_BYTES);
    if (bytes == 0) {
        return BP_OK;
    }
    BP_TRY(check_section(model, offset, bytes));
    /* The last byte ends the last name, so that no name runs out of the section. */
    return BP_ROM_U8(model->image + (size_t)(offset + bytes - 1)) == 0 ? BP_OK : BP_E_BOUNDS;
}

/* Only the host reads the constants of the float boundary, and checks them there. */
static bp_status_t check_boundary_section(const bp_model_t *model) {
    uint32_t offset = header_u32(model->image, BP_HEADER_BOUNDARY_OFFSET);
    return offset == 0 ? BP_OK : check_section(model, offset, sizeof(uint32_t));
}

static bp_status_t check_sections(const bp_reader_t *reader) {
    const bp_model_t *model = reader->model;
    BP_TRY(check_counts(model));
    BP_TRY(check_section(model, model->tensors_offset,
                         (uint32_t)model->n_tensors * BP_MODEL_TENSOR_BYTES));
    BP_TRY(check_section(model, model->ops_offset, reader->ops_bytes));
    if (reader->ops_bytes / 4 < model->n_ops) {
        return BP_E_BOUNDS;
    }
    uint32_t indices = (uint32_t)model->n_inputs + model->n_outputs;
    BP_TRY(check_section(model, model->io_offset, 2 * indices));
    BP_TRY(check_section(model, reader->data_offset, reader->data_bytes));
    BP_TRY(check_boundary_section(model));
    return check_names(model);
}

/* --- tensors --- */

/* Product of the dims, 0 when it leaves the limit or a dim is 0 or an unused dim is not 1. */
static uint32_t elems_of(const uint8_t *record) {
    const uint8_t rank = BP_ROM_U8(record + BP_TENSOR_RANK);
    uint32_t elems = 1;
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        uint32_t dim = BP_ROM_U32(record + BP_TENSOR_DIMS + 4 * i);
        if (dim == 0 || (i >= rank && dim != 1) || dim > BP_MODEL_MAX_ARENA_BYTES / elems) {
            return 0;
        }
        elems *= dim;
    }
    return rank > BP_MODEL_MAX_RANK ? 0 : elems;
}

/* Where the tensor's bytes are. */
static bp_status_t check_place(const bp_reader_t *reader, const uint8_t *record) {
    const uint8_t kind = BP_ROM_U8(record + BP_TENSOR_KIND);
    const uint32_t offset = bp_record_offset(record), bytes = bp_record_bytes(record);
    if (kind > BP_KIND_ROWS || !BP_HAS_KIND(kind)) {
        return BP_E_KIND;
    }
    if (bp_is_data(kind)) {
        return bp_check_data(reader, offset, bytes, 4);
    }
    if ((offset & 3) != 0) {
        return BP_E_ALIGN;
    }
    return bp_is_inside(offset, bytes, 0, reader->model->arena_bytes) ? BP_OK : BP_E_ARENA;
}

static bp_status_t check_name(const bp_model_t *model, uint32_t name) {
    uint32_t offset = header_u32(model->image, BP_HEADER_NAMES_OFFSET);
    uint32_t bytes = header_u32(model->image, BP_HEADER_NAMES_BYTES);
    return name == 0 || bp_is_inside(name, 1, offset, bytes) ? BP_OK : BP_E_BOUNDS;
}

static bp_status_t check_tensor(const bp_reader_t *reader, const uint8_t *record) {
    const uint8_t dtype = bp_record_dtype(record);
    if (dtype - 1u >= BP_DTYPE_INT16) {
        return BP_E_DTYPE;
    }
    const uint32_t elems = bp_record_elems(record);
    if (elems == 0 || elems != elems_of(record)) {
        return BP_E_SHAPE;
    }
    const int32_t zero_point = BP_ROM_I32(record + BP_TENSOR_ZERO_POINT);
    const int32_t lowest = -128 * (dtype & 1); /* the odd ones are signed */
    if (zero_point < lowest || zero_point > lowest + 255 ||
        (!bp_record_is_rows(record) &&
         (BP_ROM_U8(record + BP_TENSOR_FLAGS) & ~BP_TENSOR_FLOAT_BORDER) != 0)) {
        return BP_E_PARAM;
    }
    if (bp_record_is_rows(record)) {
        BP_TRY(bp_check_rows_tensor(record));
    }
    BP_TRY(check_place(reader, record));
    return BP_HAS_KIND(BP_KIND_INITIAL) && bp_record_kind(record) == BP_KIND_INITIAL
               ? BP_OK
               : check_name(reader->model, BP_ROM_U32(record + BP_TENSOR_NAME_OFFSET));
}

/* State stays from one inference to the next, so nothing else may ever be in its bytes. */
static bp_status_t check_state(const bp_model_t *model, const uint8_t *state) {
    for (uint16_t i = 0; i < model->n_tensors; ++i) {
        const uint8_t *other = bp_tensor_record(model, i);
        if (other != state && !bp_is_data(bp_record_kind(other)) &&
            bp_records_overlap(state, other)) {
            return BP_E_OVERLAP;
        }
    }
    return BP_OK;
}

/* First values have a state before them, of their type and size. */
static bp_status_t check_initial(const bp_model_t *model, const uint8_t *record, uint16_t index) {
    const uint32_t state = BP_ROM_U32(record + BP_TENSOR_STATE);
    if (state >= index) {
        return BP_E_BOUNDS;
    }
    const uint8_t *of = bp_tensor_record(model, (uint16_t)state);
    if (bp_record_kind(of) != BP_KIND_STATE) {
        return BP_E_KIND;
    }
    if (bp_record_dtype(of) != bp_record_dtype(record)) {
        return BP_E_DTYPE;
    }
    return bp_record_elems(of) == bp_record_elems(record) ? BP_OK : BP_E_SHAPE;
}

static bp_status_t check_tensors(const bp_reader_t *reader) {
    for (uint16_t i = 0; i < reader->model->n_tensors; ++i) {
        const uint8_t *record = bp_tensor_record(reader->model, i);
        BP_TRY(check_tensor(reader, record));
        if (BP_HAS_KIND(BP_KIND_STATE) && bp_record_kind(record) == BP_KIND_STATE) {
            BP_TRY(check_state(reader->model, record));
        }
        if (BP_HAS_KIND(BP_KIND_INITIAL) && bp_record_kind(record) == BP_KIND_INITIAL) {
            BP_TRY(check_initial(reader->model, record, i));
        }
    }
    return BP_OK;
}

/* Inputs and outputs of the model are activations, but for an only input that is fed. */
static bp_status_t check_boundary(const bp_model_t *model, uint16_t tensor) {
    if (tensor >= model->n_tensors) {
        return BP_E_BOUNDS;
    }
    return bp_record_kind(bp_tensor_record(model, tensor)) == BP_KIND_ACTIVATION ? BP_OK
                                                                                 : BP_E_KIND;
}

/* Inputs have bytes of their own, so that all of them together fit in the arena. */
static bp_status_t check_inputs(const bp_model_t *model) {
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        uint16_t input = bp_model_input(model, i);
        if (BP_HAS_ROWS && input < model->n_tensors && model->n_inputs == 1 &&
            bp_record_is_rows(bp_tensor_record(model, input))) {
            continue;
        }
        BP_TRY(check_boundary(model, input));
        for (uint16_t k = 0; k < i; ++k) {
            if (bp_records_overlap(bp_tensor_record(model, input),
                                   bp_tensor_record(model, bp_model_input(model, k)))) {
                return BP_E_OVERLAP;
            }
        }
    }
    return BP_OK;
}

/* --- ops --- */

/* Its record is inside the section, behind the table of offsets. */
static bp_status_t read_op(bp_op_t *op, const bp_reader_t *reader, uint16_t index) {
    const bp_model_t *model = reader->model;
    const uint32_t table = 4 * (uint32_t)model->n_ops;
    const uint32_t begin = model->ops_offset + table, size = reader->ops_bytes - table;
    const uint32_t offset =
        BP_ROM_U32(model->image + (size_t)(model->ops_offset + 4 * (uint32_t)index));
    if ((offset & 3) != 0) {
        return BP_E_ALIGN;
    }
    if (!bp_is_inside(offset, BP_OP_OPERANDS, begin, size)) {
        return BP_E_BOUNDS;
    }
    bp_model_op(op, model, index);
    const uint32_t head = (uint32_t)(op->params - model->image) - offset;
    return bp_is_inside(offset, head + 4u * op->n_words, begin, size) ? BP_OK : BP_E_BOUNDS;
}

/* The tensor still holds its values before op `end` runs: the last op that changed its bytes wrote
 * this tensor, or none did and it is an input of the graph. */
static bp_status_t check_live(const bp_model_t *model, uint16_t tensor, uint16_t end) {
    const uint8_t *record = bp_tensor_record(model, tensor);
    bp_op_t op;
    while (end-- != 0) {
        bp_model_op(&op, model, end);
        const uint8_t *output = op.operands + 2u * op.n_inputs;
        for (; op.n_outputs != 0; --op.n_outputs, output += 2) {
            uint16_t index = BP_ROM_U16(output);
            if (index == tensor) {
                return BP_OK;
            }
            /* The outputs of an op that was checked are apart, so no later one is the tensor. */
            if (bp_records_overlap(record, bp_tensor_record(model, index)) &&
                !bp_op_is_noop(model, &op)) {
                return BP_E_OVERLAP;
            }
        }
    }
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        if (bp_model_input(model, i) == tensor) {
            return BP_OK;
        }
    }
    return BP_E_ORDER;
}

/* Operands exist, and inputs hold their values before op `index`. Constants and state always do. */
static bp_status_t check_operands(const bp_model_t *model, const bp_op_t *op, uint16_t index) {
    if (op->n_inputs == 0 || op->n_outputs == 0) {
        return BP_E_PARAM;
    }
    for (uint16_t i = 0; i < op->n_inputs + op->n_outputs; ++i) {
        uint16_t tensor = BP_ROM_U16(op->operands + 2u * i);
        if (tensor >= model->n_tensors) {
            return BP_E_BOUNDS;
        }
        uint8_t kind = bp_record_kind(bp_tensor_record(model, tensor));
        if (i >= op->n_inputs || kind == BP_KIND_CONSTANT || kind == BP_KIND_STATE) {
            continue;
        }
        BP_TRY(bp_is_hidden(kind) ? BP_E_KIND : check_live(model, tensor, index));
    }
    return BP_OK;
}

static bp_status_t check_ops(const bp_reader_t *reader) {
    const bp_model_t *model = reader->model;
    for (uint16_t i = 0; i < model->n_ops; ++i) {
        bp_op_t op;
        BP_TRY(read_op(&op, reader, i));
        BP_TRY(check_operands(model, &op, i));
        BP_TRY(bp_op_check_form(model, &op));
        BP_TRY(bp_op_check(reader, &op));
        BP_TRY(BP_HAS_ROWS ? bp_check_rows_op(model, &op, i) : BP_OK);
    }
    return BP_OK;
}

/* Outputs hold their values to the end. They may share bytes, or be the same tensor, so that all of
 * them together need a limit. */
static bp_status_t check_outputs(const bp_model_t *model) {
    uint32_t left = BP_MODEL_MAX_ARENA_BYTES;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        const uint16_t tensor = bp_model_output(model, i);
        BP_TRY(check_boundary(model, tensor));
        const uint32_t bytes = bp_record_elems(bp_tensor_record(model, tensor));
        if (bytes > left) {
            return BP_E_ARENA;
        }
        left -= bytes;
        BP_TRY(check_live(model, tensor, model->n_ops));
    }
    return BP_OK;
}

static bp_status_t check_model(const bp_reader_t *reader) {
    BP_TRY(check_sections(reader));
    BP_TRY(check_tensors(reader));
    BP_TRY(check_inputs(reader->model));
    BP_TRY(check_ops(reader));
    return check_outputs(reader->model);
}

bp_status_t bp_model_open(bp_model_t *model, const uint8_t *image, uint32_t image_bytes) {
    bp_status_t status = check_identity(image, image_bytes);
    if (status == BP_OK) {
        read_header(model, image);
        const bp_reader_t reader = {model, header_u32(image, BP_HEADER_OPS_BYTES),
                                    header_u32(image, BP_HEADER_DATA_OFFSET),
                                    header_u32(image, BP_HEADER_DATA_BYTES)};
        status = check_model(&reader);
    }
    if (status != BP_OK) {
        *model = (bp_model_t){0};
    }
    return status;
}
