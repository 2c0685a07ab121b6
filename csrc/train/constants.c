#include "train/state.h"

/* What follows from the scales of a layer. */

/* log2(e) */
static const bp_real_t log2_of_e = {1549082005, 1};

static bp_real_t product_scale(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return bp_real_mul(bp_tensor_scale(t, layer->x_tensor), bp_weight_scale(t, layer, j));
}

static bp_real_t weight_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    bp_real_t s_x = bp_tensor_scale(t, layer->x_tensor);
    return bp_real_scale(bp_real_div(s_x, bp_weight_scale(t, layer, j)), 24);
}

static bp_real_t bias_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    bp_real_t one = bp_real_from_u32(1);
    return bp_real_scale(bp_real_div(one, product_scale(t, layer, j)), 8);
}

/* Cross-entropy: to 1/256 of log2. MSE: to the output's scale, 16 bits below its point. */
static bp_real_t to_loss(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    bp_real_t product = product_scale(t, layer, j);
    return bp_real_scale(bp_train_has_classes(t)
                             ? bp_real_mul(product, log2_of_e)
                             : bp_real_div(product, bp_tensor_scale(t, layer->y_tensor)),
                         8);
}

static bp_real_t largest_weight_scale(const bp_train_t *t, const bp_train_layer_t *layer) {
    uint32_t largest = 0;
    uint16_t n = layer->per_channel ? layer->n_out : 1;
    for (uint16_t j = 0; j < n; ++j) {
        /* Positive floats are ordered as their bits are. */
        uint32_t bits = bp_image_u32(t->model.image, layer->weight_scales + (uint32_t)4 * j);
        largest = bits > largest ? bits : largest;
    }
    return bp_real_from_f32(largest);
}

void bp_train_constants(const bp_train_t *t, bp_train_layer_t *layer) {
    layer->weight_scale = largest_weight_scale(t, layer);
    layer->weight_step = weight_step(t, layer, 0);
    layer->bias_step = bias_step(t, layer, 0);
    layer->to_loss = to_loss(t, layer, 0);
}

bp_real_t bp_train_weight_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return layer->per_channel ? weight_step(t, layer, j) : layer->weight_step;
}

bp_real_t bp_train_bias_step(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return layer->per_channel ? bias_step(t, layer, j) : layer->bias_step;
}

bp_real_t bp_train_to_loss(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    return layer->per_channel ? to_loss(t, layer, j) : layer->to_loss;
}
