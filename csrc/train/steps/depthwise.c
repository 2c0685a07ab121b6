#include "train/steps/conv_learn.h"
#include "train/steps/taps.h"

/* DEPTHWISE_CONV_2D: a row of weights is the taps of an output channel. */

bp_status_t bp_train_depthwise_read(bp_train_layer_t *layer, const bp_model_t *model,
                                    const bp_op_t *op, const bp_train_layer_t *below) {
    bp_conv_s8_t conv;
    (void)below;
    BP_TRY(bp_train_read_conv(layer, model, op));
    bp_conv_record(&conv, model, op);
    layer->n_in = (uint16_t)(conv.shape.window[0].kernel * conv.shape.window[1].kernel);
    layer->row_stride = layer->n_in;
    return BP_OK;
}

void bp_train_depthwise_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                            const int8_t *x, int8_t *scratch) {
    bp_conv_s8_t conv;
    bp_train_conv_fast(&conv, t, layer);
    bp_depthwise_s8(y, x, scratch, &conv);
}

bp_real_t bp_train_depthwise_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_error_t found[BP_ERRORS_AT_ONCE];
    bp_errors_t errors;
    bp_conv_s8_t conv;
    uint8_t n;
    bp_errors_of(&errors, t, l);
    bp_train_conv_now(&conv, t, layer);
    const bp_conv_shape_t *s = &conv.shape;
    const uint32_t outputs = s->y_channels / s->x_channels; /* of an input channel */
    const uint8_t spread = bp_conv_spread(outputs * bp_conv_reach(&s->window[0]) *
                                          bp_conv_reach(&s->window[1]));
    int32_t *h = bp_train_sums_below(t, l);
    bp_conv_clear(h, s);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bp_errors_begin(&errors, j);
        while ((n = bp_errors_next(&errors, found)) != 0) {
            bp_conv_scale_errors(found, n, t, layer, j, spread);
            bp_depthwise_down(h + (size_t)(j / outputs), (const int8_t *)conv.weights + j, s, found, n);
        }
    }
    return bp_real_scale(bp_real_mul(unit, layer->weight_scale), spread);
}

void bp_train_depthwise_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    bp_errors_t errors;
    bp_conv_s8_t conv;
    bp_errors_of(&errors, t, l);
    bp_train_conv_now(&conv, t, bp_train_layer(t, l));
    if (bp_has_taps(&errors, &conv.shape)) {
        bp_taps_learn(t, bp_train_layer(t, l), x, &conv.shape, &errors, rate);
    } else {
        bp_patches_learn(t, bp_train_layer(t, l), x, &conv.shape, &errors, rate);
    }
}
