#include "ops/mean.h"

#include "ops/window.h"
#include "train/steps/steps.h"

/* MEAN over the height and the width of an image. Each of its errors is that of all positions, so behind
 * a convolution only what 1 stands for changes. */

bp_status_t bp_train_mean_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                               const bp_train_layer_t *below) {
    const uint8_t *x = bp_operand_record(model, op, 0), *y = bp_operand_record(model, op, 1);
    const uint8_t image_axes = 1u << BP_AXIS_HEIGHT | 1u << BP_AXIS_WIDTH;
    if (bp_record_rank(x) != BP_IMAGE_RANK || bp_record_dim(x, BP_AXIS_BATCH) != 1 ||
        bp_mean_axes(op) != image_axes) {
        return BP_E_UNSUPPORTED;
    }
    layer->n_out = (uint16_t)bp_record_dim(x, BP_AXIS_CHANNELS);
    layer->positions = 1;
    layer->y_zp = (int8_t)bp_record_zero_point(y);
    layer->y_min = INT8_MIN;
    layer->y_max = INT8_MAX;
    layer->activation = BP_ACT_NONE;
    const int has_conv = below != NULL && below->code != BP_OP_DENSE_S8 && bp_train_has_weights(below);
    layer->view = has_conv ? BP_VIEW_MEAN : BP_VIEW_NONE;
    return BP_OK;
}

void bp_train_mean_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                       const int8_t *x, int8_t *scratch) {
    bp_op_t op;
    bp_mean_t mean;
    bp_reduction_t reduction;
    (void)scratch;
    bp_model_op(&op, &t->model, layer->op);
    bp_mean_record(&mean, &reduction, &t->model, &op);
    bp_mean_s8(y, x, &reduction, &mean);
}

bp_real_t bp_train_mean_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l), *below = bp_train_below(t, l);
    if (layer->view == BP_VIEW_NONE) {
        const int16_t *delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
        int32_t *h = bp_train_sums_below(t, l);
        for (uint32_t i = 0, c = 0, n = bp_train_outputs(below); i < n; ++i) {
            h[i] = delta[c];
            c = c + 1 == layer->n_out ? 0 : c + 1;
        }
    }
    return bp_real_div(unit, bp_real_from_u32(below->positions));
}
