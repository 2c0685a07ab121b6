#include <byteprop/config.h>
#include <byteprop/kernels.h>

#include "train/state.h"

static void note_range(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *y) {
    bp_range_t *range = bp_train_range(t, layer);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        int32_t used = (int32_t)y[j] - layer->y_zp;
        range->saturated += y[j] == layer->y_max;
        range->largest = used > range->largest ? used : range->largest;
    }
}

/* Exactly what inference does. */
static void run_layer(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                      const int8_t *x) {
    const bp_dense_s8_t dense = {
        .weights = t->image + (size_t)layer->weights,
        .bias = t->image + (size_t)layer->bias,
        .mult_q31 = t->image + (size_t)layer->mult_q31,
        .lshift = t->image + (size_t)layer->lshift,
        .n_in = layer->n_in,
        .n_out = layer->n_out,
        .row_stride = layer->row_stride,
        .per_channel = layer->per_channel,
        .y_zp = layer->y_zp,
        .y_min = layer->y_min,
        .y_max = layer->y_max,
    };
    bp_dense_s8(y, x, &dense);
}

void bp_train_forward(const bp_train_t *t, const int8_t *x, int training) {
    for (uint16_t l = 0; !BP_TRAIN_ONE_LAYER && l + 1 < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        int8_t *y = bp_train_i8(t, layer->y);
        run_layer(t, layer, y, bp_train_input(t, l, x));
        if (training && bp_train_has_window(t)) {
            note_range(t, layer, y);
        }
    }
}
