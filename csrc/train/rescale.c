#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

#include "ops/softmax.h"
#include "train/kernels/kernels.h"
#include "train/state.h"

/* Revision of the scales at the end of a window: powers of two up or down, so nothing but the last
 * bit of what is halved is lost. Every field of the image that depends on a scale changes with it. */

enum { MIN_LSHIFT = -31, MAX_LSHIFT = 30 };
/* If the largest value used stays below this, the scale is halved (full range: 255 hidden, 127
 * logits). */
enum { HIDDEN_TOO_LITTLE = 120, LOGITS_TOO_LITTLE = 60 };
/* More than one output in 16384 saturated is too many. */
enum { TOLERATED_SATURATIONS = 16384 };
/* Largest master weight from which the scale of the weights is doubled. */
enum { WEIGHTS_TOO_LARGE = 30720 };

static int32_t halved(int32_t x) {
    return (int32_t)(((int64_t)x + 1) >> 1);
}

static int32_t doubled(int32_t x) {
    return bp_saturated(2 * (int64_t)x, BP_MASTER_LIMIT);
}

static int can_shift(const bp_train_t *t, const bp_train_layer_t *layer, int8_t by) {
    if (bp_image_u32(t->image, layer->mult_q31) == 0) {
        return 0; /* too small for a multiplier: no shift belongs to it */
    }
    int16_t lshift = (int16_t)((int8_t)t->image[(size_t)layer->lshift] + by);
    return lshift >= MIN_LSHIFT && lshift <= MAX_LSHIFT;
}

static void shift(const bp_train_t *t, const bp_train_layer_t *layer, int8_t by) {
    uint8_t *lshift = t->image + (size_t)layer->lshift;
    *lshift = (uint8_t)((int8_t)*lshift + by);
}

static void scale_f32(const bp_train_t *t, uint32_t offset, int8_t exponent) {
    uint32_t bits = bp_image_u32(t->image, offset) + (uint32_t)((int32_t)exponent * 0x800000);
    bp_image_put_u32(t->image, offset, bits);
}

static int can_scale_f32(const bp_train_t *t, uint32_t offset, int8_t exponent) {
    int32_t biased = (int32_t)(bp_image_u32(t->image, offset) >> 23) + exponent;
    return biased >= 1 && biased <= 254;
}

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
        int32_t w = halved(256 * (int32_t)wh[i] + (wl == NULL ? 0 : wl[i]));
        wh[i] = (int8_t)((w + 128) >> 8);
        if (wl != NULL) {
            wl[i] = (int8_t)(w - 256 * (int32_t)wh[i]);
        }
        if (g != NULL) {
            g[i] = halved(g[i]);
        }
    }
}

static void for_biases(const bp_train_t *t, const bp_train_layer_t *layer,
                       int32_t (*change)(int32_t)) {
    int32_t *master = bp_train_i32(t, layer->bias_master);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        master[j] = change(master[j]);
        if (layer->bias_gradient != 0) {
            int32_t *g = bp_train_i32(t, layer->bias_gradient) + j;
            *g = change(*g);
        }
    }
    bp_train_fold_biases(t, layer);
}

/* Doubles the scale of a layer's weights. */
static int rescale_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    if (!can_shift(t, layer, 1) || !can_scale_f32(t, layer->weight_scales, 1)) {
        return 0;
    }
    halve_weights(t, layer);
    for_biases(t, layer, halved);
    scale_f32(t, layer->weight_scales, 1);
    shift(t, layer, 1);
    return 1;
}

/* ---- activations ---- */

/* Multiplier and shift of softmax's input to Q5.26, from the float32 bits of beta and scale, as the
 * image's maker derives them; returns 0 when they leave their range. */
static int softmax_scaling(uint32_t beta, uint32_t scale, int32_t *mult_q31, int16_t *lshift) {
    uint64_t product = (uint64_t)((beta & 0x7FFFFF) | 0x800000) * ((scale & 0x7FFFFF) | 0x800000);
    uint8_t bits = product >> 47 != 0 ? 48 : 47;
    uint8_t rshift = (uint8_t)(bits - 31);
    uint32_t mult = (uint32_t)((product + ((uint64_t)1 << (rshift - 1))) >> rshift);
    *lshift = (int16_t)((int16_t)(beta >> 23) + (int16_t)(scale >> 23) - 300 + 26 + bits);
    if (mult >> 31) {
        mult >>= 1;
        ++*lshift;
    }
    *mult_q31 = (int32_t)mult;
    /* With 1 the scale could be 2^-26, which a softmax does not take. */
    return *lshift > 1 && *lshift <= MAX_LSHIFT;
}

/* Q5.26 holds differences up to 31. */
static int32_t diff_min_of(int16_t lshift) {
    return -(((int32_t)31 << 26) >> lshift);
}

/* The exponentials of the softmax for another scale of its input; 0 when there are none. */
static int renew_softmax(const bp_train_t *t, uint32_t scale_bits) {
    bp_op_t op;
    int32_t mult_q31;
    int16_t lshift;
    bp_model_op(&op, &t->model, t->softmax_op);
    if (!softmax_scaling(bp_softmax_beta_f32(&op), scale_bits, &mult_q31, &lshift)) {
        return 0;
    }
    for (uint16_t d = 0; d < 256; ++d) {
        uint32_t e = (uint32_t)bp_softmax_exp(d, mult_q31, (int8_t)lshift, diff_min_of(lshift));
        bp_image_put_u32(t->image, bp_softmax_table(&op) + (uint32_t)4 * d, e);
    }
    return 1;
}

/* The scale of a layer's output and of its reshapes. */
static void scale_output(const bp_train_t *t, const bp_train_layer_t *layer, int8_t exponent) {
    uint16_t tensor = layer->y_tensor;
    bp_op_t op;
    scale_f32(t, bp_image_scale_offset(&t->model, tensor), exponent);
    for (uint16_t i = (uint16_t)(layer->op + 1); i < t->model.n_ops; ++i) {
        bp_model_op(&op, &t->model, i);
        if (op.code != BP_OP_RESHAPE) {
            return;
        }
        tensor = bp_op_output(&op, 0);
        scale_f32(t, bp_image_scale_offset(&t->model, tensor), exponent);
    }
}

/* Doubles (exponent 1) or halves (-1) the scale of a layer's output. */
static int rescale_output(const bp_train_t *t, uint16_t l, int8_t exponent) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_layer_t *next = layer->last ? NULL : bp_train_layer(t, (uint16_t)(l + 1));
    uint32_t offset = bp_image_scale_offset(&t->model, layer->y_tensor);
    if (!can_shift(t, layer, (int8_t)-exponent) || !can_scale_f32(t, offset, exponent) ||
        (next != NULL && !can_shift(t, next, exponent))) {
        return 0;
    }
    if (next == NULL) {
        uint32_t bits = bp_image_u32(t->image, offset) + (uint32_t)((int32_t)exponent * 0x800000);
        if (!renew_softmax(t, bits)) {
            return 0;
        }
    } else {
        for_biases(t, next, exponent > 0 ? halved : doubled);
        shift(t, next, exponent);
    }
    scale_output(t, layer, exponent);
    shift(t, layer, (int8_t)-exponent);
    return 1;
}

static int revise_output(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_range_t *range = bp_train_range(t, layer);
    uint64_t outputs = (uint64_t)bp_train_head(t)->window_samples * layer->n_out;
    if (layer->last && !bp_train_has_classes(t)) {
        return 0; /* the range of an output that is compared with targets was declared */
    }
    if ((uint64_t)range->saturated * TOLERATED_SATURATIONS > outputs) {
        return rescale_output(t, l, 1);
    }
    int32_t too_little = layer->last ? LOGITS_TOO_LITTLE : HIDDEN_TOO_LITTLE;
    return range->largest > 0 && range->largest < too_little ? rescale_output(t, l, -1) : 0;
}

void bp_train_rescale(bp_train_t *t) {
    bp_train_head_t *head = bp_train_head(t);
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        bp_range_t *range = bp_train_range(t, layer);
        head->counters.rescales += (uint32_t)revise_output(t, l);
        if (layer->last) {
            head->counters.saturated_logits += range->saturated;
        } else {
            head->counters.saturated_activations += range->saturated;
        }
    }
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        bp_range_t *range = bp_train_range(t, layer);
        if (!layer->frozen && largest_master(t, layer) >= WEIGHTS_TOO_LARGE) {
            head->counters.rescales += (uint32_t)rescale_weights(t, layer);
        }
        range->saturated = 0;
        range->largest = 0;
        bp_train_constants(t, bp_train_layer(t, l));
    }
    head->window_steps = 0;
    head->window_samples = 0;
}
