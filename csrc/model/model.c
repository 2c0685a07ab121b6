#include <byteprop/config.h>
#include <byteprop/model.h>
#include <stddef.h>

#include "model/rom.h"

/* The accessors of an opened model; model_open.c is what makes them safe. */

static const uint8_t *at(const bp_model_t *model, uint32_t offset) {
    return model->image + (size_t)offset;
}

void bp_model_tensor(bp_tensor_t *tensor, const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_tensors);
    const uint8_t *p = at(model, model->tensors_offset + (uint32_t)index * BP_MODEL_TENSOR_BYTES);
    tensor->dtype = BP_ROM_U8(p);
    tensor->rank = BP_ROM_U8(p + 1);
    tensor->flags = bp_rom_u16(p + 2);
    for (uint8_t i = 0; i < 4; ++i) {
        tensor->dims[i] = bp_rom_u32(p + 4 + 4 * i);
    }
    tensor->elems = bp_rom_u32(p + 20);
    tensor->arena_offset = bp_rom_u32(p + 24);
    tensor->scale_f32 = bp_rom_u32(p + 28);
    tensor->zero_point = (int32_t)bp_rom_u32(p + 32);
    tensor->name_offset = bp_rom_u32(p + 36);
}

void bp_model_op(bp_op_t *op, const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_ops);
    const uint8_t *p = at(model, model->ops_offset + (uint32_t)index * BP_MODEL_OP_BYTES);
    op->code = BP_ROM_U8(p);
    op->layout = BP_ROM_U8(p + 1);
    op->activation = BP_ROM_U8(p + 2);
    op->flags = BP_ROM_U8(p + 3);
    op->input = bp_rom_u16(p + 4);
    op->output = bp_rom_u16(p + 6);
    op->y_min = (int16_t)bp_rom_u16(p + 8);
    op->y_max = (int16_t)bp_rom_u16(p + 10);
    for (uint8_t i = 0; i < 5; ++i) {
        op->args[i] = bp_rom_u32(p + 12 + 4 * i);
    }
}

uint16_t bp_model_input(const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_inputs);
    return bp_rom_u16(at(model, model->io_offset + 2 * (uint32_t)index));
}

uint16_t bp_model_output(const bp_model_t *model, uint16_t index) {
    BP_ASSERT(index < model->n_outputs);
    return bp_rom_u16(at(model, model->io_offset + 2 * ((uint32_t)model->n_inputs + index)));
}
