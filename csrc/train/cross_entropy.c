#include <byteprop/fixed.h>

#include "train/kernels.h"
#include "train/state.h"

#define LOGIT_LIMIT ((int32_t)1 << 23)

/* Logits as inference would requantise them, before the clamp. */
static void note_range(const bp_train_t *t, const bp_train_layer_t *layer, const int32_t *acc) {
    bp_range_t *range = bp_train_range(t, layer);
    int32_t mult_q31 = (int32_t)bp_image_u32(t->image, layer->mult_q31);
    int8_t lshift = (int8_t)t->image[(size_t)layer->lshift];
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        int32_t q = bp_requant(acc[j], mult_q31, lshift); /* never INT32_MIN */
        int32_t used = q < 0 ? -q : q;
        range->saturated += used > INT8_MAX;
        range->largest = used > range->largest ? used : range->largest;
    }
}

bp_real_t bp_train_cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 uint16_t label, int training) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    int32_t *delta = bp_train_i32(t, layer->delta);
    bp_dense_acc_s8(delta, x, t->image + (size_t)layer->weights, t->image + (size_t)layer->bias,
                    layer->row_stride, layer->n_in, layer->n_out);
    if (training && t->config.window != 0) {
        note_range(t, layer, delta);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        delta[j] = bp_real_apply(delta[j], bp_train_to_loss(t, layer, j), LOGIT_LIMIT);
    }
    result->loss = bp_softmax_ce(delta, &result->predicted, layer->n_out, label);
    result->correct = result->predicted == label;
    return bp_real_scale(bp_real_from_u32(1), -15);
}
