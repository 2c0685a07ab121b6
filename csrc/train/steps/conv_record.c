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

/* No byte of n aligned words is -128: what training looks for in every sample, four at a time. */
static int words_are_symmetric(const uint8_t *weights, uint32_t n) {
    const uint32_t ones = 0x01010101u, tops = 0x80808080u;
    uint32_t found = 0;
    for (; n != 0; --n, weights += 4) {
        const uint32_t x = BP_ROM_U32(weights) ^ tops;
        found |= (x - ones) & ~x & tops;
    }
    return found == 0;
}

void bp_train_conv_fast(bp_conv_s8_t *conv, const bp_train_t *t, const bp_train_layer_t *layer) {
    bp_train_conv_now(conv, t, layer);
    conv->fast = 0;
    const uint32_t n = bp_train_weight_count(layer), words = n / 4;
    const bp_rows_t rows = {n % 4, layer->n_in, layer->n_out, layer->n_out};
    if (BP_FAST_OPS && words_are_symmetric(conv->weights, words)) {
        const bp_fast_rows_t rest = {conv->weights + (size_t)(4 * words), conv->bias, conv->lshift};
        conv->fast = bp_rows_are_fast(&rest, &rows);
    }
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
