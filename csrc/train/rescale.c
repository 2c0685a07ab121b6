#include "train/scales.h"
#include "train/state.h"

/* Revision of the scales at the end of a window: powers of two up or down, so nothing but the last
 * bit of what is halved is lost. Every field of the image that depends on a scale changes with it. */

/* If the largest value used stays below this, the scale is halved (full range: 255 hidden, 127
 * logits). */
enum { HIDDEN_TOO_LITTLE = 120, LOGITS_TOO_LITTLE = 60 };
/* More than one output in 16384 saturated is too many. */
enum { TOLERATED_SATURATIONS = 16384 };
/* Largest master weight from which the scale of the weights is doubled. */
enum { WEIGHTS_TOO_LARGE = 30720 };

/* ---- weights ---- */

static uint32_t largest_master(const bp_train_t *t, const bp_train_layer_t *layer) {
    const int8_t *wh = bp_train_weights(t, layer);
    const int8_t *wl = layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual);
    const uint32_t n = bp_train_weight_count(layer);
    int32_t largest = 0;
    for (uint32_t i = 0; i < n; ++i) {
        int32_t w = 256 * (int32_t)wh[i] + (wl == NULL ? 0 : wl[i]);
        w = w < 0 ? -w : w;
        largest = w > largest ? w : largest;
    }
    return (uint32_t)largest;
}

static void halve_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    int8_t *wh = bp_train_weights(t, layer);
    int8_t *wl = layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual);
    int32_t *g = layer->gradient == 0 ? NULL : bp_train_i32(t, layer->gradient);
    const uint32_t n = bp_train_weight_count(layer);
    for (uint32_t i = 0; i < n; ++i) {
        int32_t w = bp_halved(256 * (int32_t)wh[i] + (wl == NULL ? 0 : wl[i]));
        wh[i] = (int8_t)((w + 128) >> 8);
        if (wl != NULL) {
            wl[i] = (int8_t)(w - 256 * (int32_t)wh[i]);
        }
        if (g != NULL) {
            g[i] = bp_halved(g[i]);
        }
    }
}

/* Doubles the scale of a layer's weights. */
static int rescale_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    if (!bp_scales_can_shift(t, layer, 1) || !bp_scales_can_double_weights(t, layer)) {
        return 0;
    }
    halve_weights(t, layer);
    bp_scales_double_weights(t, layer);
    return 1;
}

/* ---- activations ---- */

static int revise_output(const bp_train_t *t, const bp_train_layer_t *layer) {
    const bp_range_t *range = bp_train_range(t, layer);
    const uint64_t outputs =
        (uint64_t)bp_train_head(t)->window_samples * bp_train_outputs(layer);
    if (layer->last && !bp_train_has_classes(t)) {
        return 0; /* the range of an output that is compared with targets was declared */
    }
    if ((uint64_t)range->saturated * TOLERATED_SATURATIONS > outputs) {
        return bp_scales_move(t, layer, 1);
    }
    const int32_t too_little = layer->last ? LOGITS_TOO_LITTLE : HIDDEN_TOO_LITTLE;
    return range->largest > 0 && range->largest < too_little ? bp_scales_move(t, layer, -1) : 0;
}

static void revise_outputs(const bp_train_t *t) {
    bp_train_counters_t *counters = &bp_train_head(t)->counters;
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        if (layer->range == 0) {
            continue;
        }
        const uint32_t saturated = bp_train_range(t, layer)->saturated;
        counters->rescales += (uint32_t)revise_output(t, layer);
        if (layer->last) {
            counters->saturated_logits += saturated;
        } else {
            counters->saturated_activations += saturated;
        }
    }
}

static void revise_weights(const bp_train_t *t) {
    bp_train_counters_t *counters = &bp_train_head(t)->counters;
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        bp_train_layer_t *layer = bp_train_layer(t, l);
        if (!layer->frozen && largest_master(t, layer) >= WEIGHTS_TOO_LARGE) {
            counters->rescales += (uint32_t)rescale_weights(t, layer);
        }
        if (bp_train_has_weights(layer)) {
            bp_train_constants(t, layer);
        }
        if (layer->range != 0) {
            *bp_train_range(t, layer) = (bp_range_t){0, 0};
        }
    }
}

void bp_train_rescale(bp_train_t *t) {
    bp_train_head_t *head = bp_train_head(t);
    revise_outputs(t);
    revise_weights(t);
    head->window_steps = 0;
    head->window_samples = 0;
}
