#include <byteprop/fixed.h>

#include "train/kernels/kernels.h"
#include "train/state.h"

/* Forward through the last layer, loss, and the error to send back. */

/* ---- cross-entropy ---- */

#define LOGIT_LIMIT ((int32_t)1 << 23)

/* Logits as inference would requantise them, before the clamp. */
static void record_logits(const bp_train_t *t, const bp_train_layer_t *layer, const int32_t *acc) {
    int32_t mult_q31 = (int32_t)bp_image_u32(t->model.image, layer->mult_q31);
    int8_t lshift = (int8_t)t->model.image[(size_t)layer->lshift];
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        int32_t q = bp_requant(acc[j], mult_q31, lshift); /* never INT32_MIN */
        int32_t used = q < 0 ? -q : q;
        bp_train_record_range(bp_train_range(t, layer), used, used > INT8_MAX);
    }
}

bp_real_t bp_train_cross_entropy(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 uint16_t label, int training) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    int32_t *delta = bp_train_i32(t, layer->delta);
    bp_dense_acc_s8(delta, x, bp_train_part(t, layer, layer->weights),
                    bp_train_part(t, layer, layer->bias), layer->row_stride, layer->n_in,
                    layer->n_out);
    if (training && t->config.window != 0) {
        record_logits(t, layer, delta);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        delta[j] = bp_real_apply(delta[j], bp_train_to_loss(t, layer, j), LOGIT_LIMIT);
    }
    result->loss = bp_softmax_ce(delta, &result->predicted, layer->n_out, label);
    result->correct = result->predicted == label;
    return bp_real_scale(bp_real_from_u32(1), -15);
}

/* ---- squared error ---- */

#define OUTPUT_LIMIT ((int32_t)1 << 30)

static void add_square(uint64_t *sum, int32_t error) {
    uint32_t size = error < 0 ? 0u - (uint32_t)error : (uint32_t)error;
    uint64_t square = (uint64_t)size * size;
    *sum = square > UINT64_MAX - *sum ? UINT64_MAX : *sum + square;
}

static int32_t clamped_i32(int64_t x) {
    return x < INT32_MIN ? INT32_MIN : (x > INT32_MAX ? INT32_MAX : (int32_t)x);
}

/* Row j's output with all 16 bits of the weights, in s_y * 2^-16, without the zero point. */
static int32_t output_of(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                         const int8_t *x) {
    size_t row = (size_t)j * layer->row_stride;
    const int8_t *residual = layer->residual == 0 ? NULL : bp_train_i8(t, layer->residual) + row;
    int64_t sum =
        bp_train_i32(t, layer->bias_master)[j] +
        bp_dot_master((const int8_t *)bp_train_part(t, layer, layer->weights) + row, residual, x, layer->x_zp, layer->n_in);
    return bp_real_apply(clamped_i32(sum), bp_train_to_loss(t, layer, j), OUTPUT_LIMIT);
}

bp_real_t bp_train_squared_error(const bp_train_t *t, bp_train_result_t *result, const int8_t *x,
                                 const int32_t *target) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    int32_t *delta = bp_train_i32(t, layer->delta);
    result->loss = 0;
    result->predicted = 0;
    result->correct = 0;
    const int is_given = !bp_train_has_input_target(t);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        delta[j] = output_of(t, layer, j, x);
        if (is_given) {
            delta[j] = bp_saturated((int64_t)delta[j] - target[j], INT32_MAX);
        }
    }
    if (BP_TRAIN_HAS_AUTOENCODERS && !is_given) {
        bp_train_input_errors(t, delta, layer->n_out);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        add_square(&result->loss, delta[j]);
    }
    bp_real_t s_y = bp_tensor_scale(t, layer->y_tensor);
    return bp_real_scale(bp_real_div(s_y, bp_real_from_u32(layer->n_out)), -15);
}
