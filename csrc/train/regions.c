#include "ops/convolution.h"
#include "ops/dense.h"
#include "ops/ops.h"
#include "ops/softmax.h"
#include "train/state.h"

/* Training writes weights, biases, shifts, scales, tensor records and the softmax's table, relying
 * on what the model reader found in them. So nothing in the image may overlap but multipliers,
 * which are only read, and the data of the frozen part, which is stored before all that is written. */

enum { SECTIONS = 5, PARTS = BP_DENSE_PARTS };

typedef struct {
    uint32_t begin;
    uint32_t bytes;
} region_t;

static region_t section(const bp_model_t *model, uint32_t index) {
    uint32_t indices = (uint32_t)model->n_inputs + model->n_outputs;
    const region_t sections[SECTIONS] = {
        {0, BP_MODEL_HEADER_BYTES},
        {model->tensors_offset, (uint32_t)model->n_tensors * BP_MODEL_TENSOR_BYTES},
        {model->ops_offset, bp_image_u32(model->image, BP_HEADER_OPS_BYTES)},
        {model->io_offset, 2 * indices},
        {bp_image_u32(model->image, BP_HEADER_NAMES_OFFSET), bp_image_u32(model->image, BP_HEADER_NAMES_BYTES)},
    };
    return sections[index];
}

/* Bytes of parts that have something for each row. */
static uint32_t bytes_of_rows(uint8_t part, uint32_t n) {
    return part == BP_DENSE_LSHIFTS ? n : 4 * n;
}

static region_t part_of_dense(const bp_model_t *model, const bp_op_t *op, uint8_t part) {
    bp_dense_record_t dense;
    bp_dense_record(&dense, model, op);
    const region_t region = {bp_dense_part(op, part), bp_dense_part_bytes(&dense, part)};
    return region;
}

static region_t part_of_conv(const bp_model_t *model, const bp_op_t *op, uint8_t part) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    const bp_conv_shape_t *s = &conv.shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    const uint32_t row = op->code == BP_OP_DEPTHWISE_S8
                             ? taps
                             : bp_row_stride(taps * (s->x_channels / conv.groups));
    const region_t region = {bp_image_part(op, part), part == 0 ? row * s->y_channels
                                                                : bytes_of_rows(part, s->y_channels)};
    return region;
}

static region_t part_of_op(const bp_model_t *model, uint16_t index, uint8_t part) {
    region_t region = {0, 0};
    bp_op_t op;
    bp_model_op(&op, model, index);
    if (op.code == BP_OP_DENSE_S8) {
        return part_of_dense(model, &op, part);
    }
    if (BP_TRAIN_HAS_IMAGES && bp_train_is_conv(&op)) {
        return part_of_conv(model, &op, part);
    }
    if (op.code == BP_OP_SOFTMAX_S8 && part == 0) {
        region.begin = bp_softmax_table(&op);
        region.bytes = BP_SOFTMAX_TABLE_BYTES;
    }
    return region;
}

/* Sections, then the parts of the ops behind the frozen part. */
static region_t region_at(const bp_model_t *model, uint16_t first_op, uint32_t index) {
    uint32_t beyond = index - SECTIONS;
    return index < SECTIONS ? section(model, index)
                            : part_of_op(model, (uint16_t)(first_op + beyond / PARTS),
                                         (uint8_t)(beyond % PARTS));
}

static uint32_t count_regions(const bp_model_t *model, uint16_t first_op) {
    return SECTIONS + (uint32_t)PARTS * (uint32_t)(model->n_ops - first_op);
}

static int holds_multipliers(uint32_t index) {
    return index >= SECTIONS && (index - SECTIONS) % PARTS == BP_DENSE_MULTIPLIERS;
}

static int is_written(uint32_t index) {
    return index >= SECTIONS && !holds_multipliers(index);
}

/* The reader has found every region to end within the image, so no sum overflows. */
static int overlap(region_t a, region_t b) {
    return b.bytes != 0 && a.begin < b.begin + b.bytes && b.begin < a.begin + a.bytes;
}

static bp_status_t check_apart(const bp_model_t *model, uint16_t first_op) {
    uint32_t n = count_regions(model, first_op);
    for (uint32_t i = 0; i < n; ++i) {
        region_t region = region_at(model, first_op, i);
        for (uint32_t k = i + 1; region.bytes != 0 && k < n; ++k) {
            if (holds_multipliers(i) && holds_multipliers(k)) {
                continue;
            }
            if (overlap(region, region_at(model, first_op, k))) {
                return BP_E_BOUNDS;
            }
        }
    }
    return BP_OK;
}

/* No constant tensor has a byte that is written; returns where the bytes that are written begin. */
static bp_status_t check_constants(const bp_model_t *model, uint16_t first_op, uint32_t *begin) {
    uint32_t n = count_regions(model, first_op);
    *begin = UINT32_MAX;
    for (uint32_t i = SECTIONS; i < n; ++i) {
        const region_t region = region_at(model, first_op, i);
        if (!is_written(i) || region.bytes == 0) {
            continue;
        }
        *begin = region.begin < *begin ? region.begin : *begin;
        for (uint16_t k = 0; k < model->n_tensors; ++k) {
            const uint8_t *record = bp_tensor_record(model, k);
            const region_t bytes = {bp_record_offset(record), bp_record_elems(record)};
            if (bp_record_kind(record) == BP_KIND_CONSTANT && overlap(region, bytes)) {
                return BP_E_BOUNDS;
            }
        }
    }
    return BP_OK;
}

/* Ops of the frozen part read what they would also find in a data section that ends where the bytes
 * that are written begin. */
static bp_status_t check_frozen(const bp_model_t *model, uint16_t first_op) {
    bp_reader_t reader = {model, bp_image_u32(model->image, BP_HEADER_OPS_BYTES),
                          bp_image_u32(model->image, BP_HEADER_DATA_OFFSET), 0};
    uint32_t end;
    bp_op_t op;
    BP_TRY(check_constants(model, first_op, &end));
    reader.data_bytes = end - reader.data_offset;
    for (uint16_t i = 0; i < first_op; ++i) {
        bp_model_op(&op, model, i);
        BP_TRY(bp_op_check(&reader, &op));
    }
    return BP_OK;
}

bp_status_t bp_train_check_regions(const bp_model_t *model, uint16_t first_op) {
    BP_TRY(check_apart(model, first_op));
    return BP_TRAIN_HAS_FROZEN_PART ? check_frozen(model, first_op) : BP_OK;
}

static const uint8_t *record_of(const bp_op_t *op) {
    return op->operands - BP_OP_OPERANDS;
}

/* Rescaling changes scales of tensors; a tensor that is written twice would have two. It changes shifts
 * in records of ops, which come one after the other. */
bp_status_t bp_train_check_tensors(const bp_model_t *model) {
    bp_op_t op, before;
    for (uint16_t i = 0; i < model->n_ops; ++i) {
        bp_model_op(&op, model, i);
        int twice = bp_op_output(&op, 0) == bp_model_input(model, 0);
        for (uint16_t k = 0; k < i && !twice; ++k) {
            bp_model_op(&before, model, k);
            twice = bp_op_output(&before, 0) == bp_op_output(&op, 0);
        }
        if (twice) {
            return BP_E_UNSUPPORTED;
        }
        if (i != 0 && record_of(&op) < before.params + 4u * before.n_words) {
            return BP_E_BOUNDS;
        }
    }
    return BP_OK;
}
