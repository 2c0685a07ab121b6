#include "train/steps/conv_learn.h"
#include "train/steps/pointwise.h"

/* CONV_2D. */

bp_status_t bp_train_conv_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                               const bp_train_layer_t *below) {
    bp_conv_s8_t conv;
    (void)below;
    BP_TRY(bp_train_read_conv(layer, model, op));
    bp_conv_record(&conv, model, op);
    const bp_conv_shape_t *s = &conv.shape;
    const uint32_t n = (uint32_t)s->window[0].kernel * s->window[1].kernel * s->x_channels;
    layer->n_in = (uint16_t)n;
    layer->row_stride = (uint16_t)bp_row_stride(n);
    return BP_OK;
}

void bp_train_conv_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                       const int8_t *x, int8_t *scratch) {
    bp_conv_s8_t conv;
    bp_train_conv_fast(&conv, t, layer);
    bp_conv_s8(y, x, scratch, &conv);
}

bp_real_t bp_train_conv_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_error_t found[BP_ERRORS_AT_ONCE];
    bp_errors_t errors;
    bp_conv_s8_t conv;
    uint8_t n;
    bp_errors_of(&errors, t, l);
    bp_train_conv_now(&conv, t, layer);
    const bp_conv_shape_t *s = &conv.shape;
    const uint8_t spread = bp_conv_spread(s->y_channels * bp_conv_reach(&s->window[0]) *
                                          bp_conv_reach(&s->window[1]));
    int32_t *h = bp_train_sums_below(t, l);
    bp_conv_clear(h, s);
    if (bp_is_pointwise(&errors, s)) {
        bp_pointwise_down(h, t, layer, &conv, &errors, spread);
        return bp_real_scale(bp_real_mul(unit, layer->weight_scale), spread);
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        const int8_t *row = (const int8_t *)conv.weights + bp_train_row(layer, j);
        bp_errors_begin(&errors, j);
        while ((n = bp_errors_next(&errors, found)) != 0) {
            bp_conv_scale_errors(found, n, t, layer, j, spread);
            bp_conv_down(h, row, s, found, n);
        }
    }
    return bp_real_scale(bp_real_mul(unit, layer->weight_scale), spread);
}

void bp_train_conv_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_error_t found[BP_ERRORS_AT_ONCE];
    bp_errors_t errors;
    bp_conv_s8_t conv;
    bp_conv_row_t row;
    uint8_t n;
    bp_errors_of(&errors, t, l);
    bp_train_conv_now(&conv, t, layer);
    if (bp_is_pointwise(&errors, &conv.shape)) {
        bp_pointwise_learn(t, layer, x, &errors, rate);
        return;
    }
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bp_conv_row_begin(&row, t, layer);
        bp_errors_begin(&errors, j);
        while ((n = bp_errors_next(&errors, found)) != 0) {
            bp_conv_row_add(&row, found, n);
            bp_conv_gradient(row.g, x, layer->x_zp, &conv.shape, found, n);
        }
        bp_conv_row_end(&row, t, layer, j, rate);
    }
}
