#include "ops/convolution.h"
#include "ops/window.h"
#include "train/steps/steps.h"

/* What CONV_2D and DEPTHWISE_CONV_2D have in common. */

enum { MAX_CHANNELS = 32767 };
#define MAX_POSITIONS 65535u

/* All rows have one scale: their bits are equal. */
static uint8_t has_several_scales(const bp_model_t *model, const bp_op_t *op, uint32_t n) {
    const uint32_t scales = bp_image_part(op, 4);
    const uint32_t first = bp_image_u32(model->image, scales);
    for (uint32_t j = 1; j < n; ++j) {
        if (bp_image_u32(model->image, scales + 4 * j) != first) {
            return 1;
        }
    }
    return 0;
}

bp_status_t bp_train_read_conv(bp_train_layer_t *layer, const bp_model_t *model,
                               const bp_op_t *op) {
    bp_conv_s8_t conv;
    bp_conv_record(&conv, model, op);
    const bp_conv_shape_t *s = &conv.shape;
    layer->activation = BP_ROM_U8(op->params + BP_CONV_ACTIVATION);
    if (s->batch != 1 || conv.groups != 1 || s->window[0].dilation != 1 ||
        s->window[1].dilation != 1 || s->y_channels > MAX_CHANNELS ||
        s->y_height > MAX_POSITIONS / s->y_width || layer->activation > BP_ACT_RELU_N1_TO_1) {
        return BP_E_UNSUPPORTED;
    }
    layer->n_out = (uint16_t)s->y_channels;
    layer->positions = (uint16_t)(s->y_height * s->y_width);
    layer->x_zp = conv.x_zp;
    layer->y_zp = conv.y_zp;
    layer->y_min = conv.y_min;
    layer->y_max = conv.y_max;
    layer->per_channel = has_several_scales(model, op, s->y_channels);
    return BP_OK;
}

void bp_train_conv_now(bp_conv_s8_t *conv, const bp_train_t *t, const bp_train_layer_t *layer) {
    bp_op_t op;
    bp_model_op(&op, &t->model, layer->op);
    bp_conv_record(conv, &t->model, &op);
    conv->weights = bp_train_part(t, layer, layer->weights);
    conv->bias = bp_train_part(t, layer, layer->bias);
}

void bp_train_conv_fast(bp_conv_s8_t *conv, const bp_train_t *t, const bp_train_layer_t *layer) {
    bp_train_conv_now(conv, t, layer);
    const bp_fast_rows_t parts = {conv->weights, conv->bias, conv->lshift};
    const bp_rows_t rows = {bp_train_weight_count(layer), layer->n_in, layer->n_out, layer->n_out};
    conv->fast = BP_FAST_OPS && bp_rows_are_fast(&parts, &rows);
}

uint32_t bp_train_scratch_bytes(const bp_model_t *model, const bp_train_layer_t *layer) {
    bp_conv_s8_t conv;
    bp_op_t op;
    bp_model_op(&op, model, layer->op);
    if (!bp_train_is_conv(&op)) {
        return 0;
    }
    bp_conv_record(&conv, model, &op);
    return op.code == BP_OP_CONV_S8 ? bp_conv_scratch(&conv.shape, conv.groups)
                                    : bp_depthwise_scratch(&conv.shape);
}
