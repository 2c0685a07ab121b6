#include "train/steps/conv_learn.h"

enum { MAX_TERMS = 511, MAX_SUMMED = 257 };
#define CHANGE_LIMIT ((int32_t)1 << 30)

/* The least k with most * 2^k >= n. */
static uint8_t shift_for(uint32_t n, uint32_t most) {
    uint8_t k = 0;
    while (most << k < n) {
        ++k;
    }
    return k;
}

uint8_t bp_conv_spread(uint32_t terms) {
    return shift_for(terms, MAX_TERMS);
}

uint32_t bp_conv_reach(const bp_window_t *window) {
    return (window->kernel + window->stride - 1u) / window->stride;
}

void bp_conv_clear(int32_t *h, const bp_conv_shape_t *s) {
    const uint32_t n = s->x_height * s->x_width * s->x_channels;
    for (uint32_t i = 0; i < n; ++i) {
        h[i] = 0;
    }
}

void bp_conv_scale_errors(bp_error_t *errors, uint8_t n, const bp_train_t *t,
                          const bp_train_layer_t *layer, uint16_t j, uint8_t spread) {
    if (layer->per_channel) {
        const bp_real_t ratio = bp_real_div(bp_weight_scale(t, layer, j), layer->weight_scale);
        for (uint8_t i = 0; i < n; ++i) {
            errors[i].delta = bp_real_apply(errors[i].delta, ratio, BP_BACKWARD_LIMIT);
        }
    }
    for (uint8_t i = 0; i < n; ++i) {
        errors[i].delta = bp_conv_shifted(errors[i].delta, spread);
    }
}

void bp_conv_row_begin(bp_conv_row_t *row, const bp_train_t *t, const bp_train_layer_t *layer) {
    row->g = bp_train_i32(t, t->row);
    row->bias = 0;
    row->rshift = shift_for(layer->positions, MAX_SUMMED);
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        row->g[i] = 0;
    }
}

void bp_conv_row_add(bp_conv_row_t *row, bp_error_t *errors, uint8_t n) {
    const uint8_t rshift = row->rshift;
    const int32_t half = rshift == 0 ? 0 : (int32_t)1 << (rshift - 1);
    int32_t bias = row->bias;
    for (const bp_error_t *end = errors + n; errors != end; ++errors) {
        bias += errors->delta;
        errors->delta = (errors->delta + half) >> rshift;
    }
    row->bias = bias;
}

/* All bits of n values. */
static uint32_t bits_of(const int32_t *g, uint16_t n) {
    uint32_t bits = 0;
    for (uint16_t i = 0; i < n; ++i) {
        bits |= (uint32_t)g[i];
    }
    return bits;
}

/* Sums become changes; whether there was a sum, and whether all changes are 0. */
static int vanishes(const bp_conv_row_t *row, uint16_t n, bp_real_t step) {
    if (bits_of(row->g, n) == 0) {
        return 0;
    }
    bp_real_apply_all(row->g, n, step, CHANGE_LIMIT);
    return bits_of(row->g, n) == 0;
}

void bp_conv_row_end(const bp_conv_row_t *row, const bp_train_t *t, const bp_train_layer_t *layer,
                     uint16_t j, bp_real_t rate) {
    const bp_train_step_t step = bp_train_step(t, layer, j, rate);
    bp_train_head(t)->counters.vanished +=
        (uint32_t)vanishes(row, layer->n_in, bp_real_scale(step.weight, row->rshift));
    bp_train_learn_row(t, layer, j, row->g, bp_real_apply(row->bias, step.bias, CHANGE_LIMIT));
}
