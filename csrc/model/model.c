#include <byteprop/config.h>
#include <byteprop/model.h>
#include <stddef.h>

/* The accessors of an opened model; model_open.c is what makes them safe. */

static const uint8_t *at(const bp_model_t *model, uint32_t offset) {
    return model->image + (size_t)offset;
}

const uint8_t *bp_tensor_record(const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_tensors);
    return at(model, model->tensors_offset + (uint32_t)index * BP_MODEL_TENSOR_BYTES);
}

void bp_model_tensor(bp_tensor_t *tensor, const bp_model_t *model, uint16_t index) {
    const uint8_t *p = bp_tensor_record(model, index);
    tensor->dtype = BP_ROM_U8(p + BP_TENSOR_DTYPE);
    tensor->rank = BP_ROM_U8(p + BP_TENSOR_RANK);
    tensor->kind = BP_ROM_U8(p + BP_TENSOR_KIND);
    tensor->flags = BP_ROM_U8(p + BP_TENSOR_FLAGS);
    for (uint8_t i = 0; i < BP_MODEL_MAX_RANK; ++i) {
        tensor->dims[i] = BP_ROM_U32(p + BP_TENSOR_DIMS + 4 * i);
    }
    tensor->elems = BP_ROM_U32(p + BP_TENSOR_ELEMS);
    tensor->offset = BP_ROM_U32(p + BP_TENSOR_OFFSET);
    tensor->scale_f32 = BP_ROM_U32(p + BP_TENSOR_SCALE);
    tensor->zero_point = BP_ROM_I32(p + BP_TENSOR_ZERO_POINT);
    tensor->name_offset = BP_ROM_U32(p + BP_TENSOR_NAME_OFFSET);
}

void bp_model_op(bp_op_t *op, const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_ops);
    const uint8_t *p = at(model, BP_ROM_U32(at(model, model->ops_offset + 4 * (uint32_t)index)));
    op->code = BP_ROM_U8(p + BP_OP_CODE);
    op->n_inputs = BP_ROM_U8(p + BP_OP_N_INPUTS);
    op->n_outputs = BP_ROM_U8(p + BP_OP_N_OUTPUTS);
    op->n_words = BP_ROM_U8(p + BP_OP_N_WORDS);
    op->operands = p + BP_OP_OPERANDS;
    /* Two bytes for each operand, filled up to a multiple of 4. */
    uint16_t n = (uint16_t)(op->n_inputs + op->n_outputs);
    op->params = op->operands + (size_t)((n + 1u) / 2u) * 4u;
}

uint16_t bp_op_input(const bp_op_t *op, uint8_t index) {
    BP_ASSERT(index < op->n_inputs);
    return BP_ROM_U16(op->operands + 2u * index);
}

uint16_t bp_op_output(const bp_op_t *op, uint8_t index) {
    BP_ASSERT(index < op->n_outputs);
    return BP_ROM_U16(op->operands + 2u * ((uint16_t)op->n_inputs + index));
}

uint16_t bp_model_input(const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_inputs);
    return BP_ROM_U16(at(model, model->io_offset + 2 * (uint32_t)index));
}

uint16_t bp_model_output(const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_outputs);
    return BP_ROM_U16(at(model, model->io_offset + 2 * ((uint32_t)model->n_inputs + index)));
}
