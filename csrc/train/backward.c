#include "isa/isa.h"
#include "train/kernels/kernels.h"
#include "train/state.h"

enum { MAX_BACKWARD_ROWS = 511 };
#define BACKWARD_LIMIT ((int32_t)1 << 15)

/* By how many bits errors of n rows are shifted so that their products' sum fits 32 bits. */
static uint8_t spread_of(uint16_t n) {
    uint8_t spread = 0;
    while ((uint32_t)MAX_BACKWARD_ROWS << spread < n) {
        ++spread;
    }
    return spread;
}

static void shift_all(int32_t *scaled, uint16_t n, uint8_t rshift) {
    for (uint16_t j = 0; rshift != 0 && j < n; ++j) {
        scaled[j] = (scaled[j] + ((int32_t)1 << (rshift - 1))) >> rshift;
    }
}

/* Brings the rows' errors to one scale, small enough for their sum over the rows, in a copy,
 * because the layer's update needs them as they are; returns by how many bits they were shifted. */
static uint8_t scale_errors(const bp_train_t *t, const bp_train_layer_t *layer, int32_t *scaled) {
    const int32_t *delta = bp_train_i32(t, layer->delta);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        scaled[j] = delta[j];
    }
    uint8_t shift = 0;
    if (layer->last && !bp_train_has_classes(t)) {
        shift = bp_block_scale(scaled, layer->n_out);
    }
    for (uint16_t j = 0; layer->per_channel && j < layer->n_out; ++j) {
        bp_real_t ratio = bp_real_div(bp_weight_scale(t, layer, j), layer->weight_scale);
        scaled[j] = bp_real_apply(scaled[j], ratio, BACKWARD_LIMIT);
    }
    uint8_t spread = spread_of(layer->n_out);
    shift_all(scaled, layer->n_out, spread);
    return (uint8_t)(shift + spread);
}

static void mask_inactive(const bp_train_t *t, const bp_train_layer_t *below, int32_t *delta) {
    if (below->activation == BP_ACT_NONE) {
        return;
    }
    const int8_t *y = bp_train_i8(t, below->y);
    for (uint16_t i = 0; i < below->n_out; ++i) {
        if (y[i] == below->y_min || y[i] == below->y_max) {
            delta[i] = 0;
        }
    }
}

bp_real_t bp_train_backward(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    BP_ISA_BEGIN
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_layer_t *below = bp_train_layer(t, (uint16_t)(l - 1));
    int32_t *dx = bp_train_i32(t, below->delta);
    int32_t *scaled = bp_train_i32(t, t->backward);
    uint8_t shift = scale_errors(t, layer, scaled);
    BP_ISA_BACKWARD(dx, scaled, (const int8_t *)bp_train_part(t, layer, layer->weights),
                    layer->row_stride, layer->n_in, layer->n_out);
    mask_inactive(t, below, dx);
    shift = (uint8_t)(shift + bp_block_scale(dx, layer->n_in));
    return bp_real_scale(bp_real_mul(unit, layer->weight_scale), shift);
}
