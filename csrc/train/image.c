#include "ops/convolution.h"
#include "ops/dense.h"
#include "train/state.h"

uint32_t bp_image_u32(const uint8_t *image, uint32_t offset) {
    const uint8_t *p = image + (size_t)offset;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int bp_is_normal_f32(uint32_t bits) {
    return bits >= (uint32_t)1 << 23 && bits < (uint32_t)255 << 23;
}

void bp_image_put_u32(uint8_t *image, uint32_t offset, uint32_t value) {
    uint8_t *p = image + (size_t)offset;
    for (uint8_t i = 0; i < 4; ++i, value >>= 8) {
        p[i] = (uint8_t)value;
    }
}

uint32_t bp_image_part(const bp_op_t *op, uint8_t part) {
    const int is_conv = BP_TRAIN_HAS_IMAGES && op->code != BP_OP_DENSE_S8;
    return BP_ROM_U32(op->params + (is_conv ? BP_CONV_PART : BP_DENSE_PART) + 4u * part);
}

uint32_t bp_image_flags_offset(const bp_model_t *model, uint16_t op) {
    bp_op_t record;
    bp_model_op(&record, model, op);
    return (uint32_t)(record.params - model->image) + BP_DENSE_FLAGS; /* a convolution's, too */
}

uint8_t bp_image_trained_flags(uint8_t flags, const bp_train_layer_t *layer) {
    const int has_bias = !layer->frozen && bp_train_is_dense(layer);
    return (uint8_t)((flags & ~BP_OP_FAST) | (has_bias ? BP_OP_HAS_BIAS : 0));
}

uint32_t bp_image_scale_offset(const bp_model_t *model, uint16_t tensor) {
    return model->tensors_offset + (uint32_t)tensor * BP_MODEL_TENSOR_BYTES + BP_TENSOR_SCALE;
}

bp_real_t bp_tensor_scale(const bp_train_t *t, uint16_t tensor) {
    return bp_real_from_f32(bp_image_u32(t->model.image, bp_image_scale_offset(&t->model, tensor)));
}

bp_real_t bp_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    uint32_t index = layer->per_channel ? j : 0;
    return bp_real_from_f32(bp_image_u32(t->model.image, layer->weight_scales + 4 * index));
}
