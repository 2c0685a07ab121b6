#include "train/steps/taps.h"

/* In a file of its own, so that taps need no stack for the errors that are found here. */

void bp_patches_learn(const bp_train_t *t, const bp_train_layer_t *layer, const int8_t *x,
                      const bp_conv_shape_t *s, bp_errors_t *errors, bp_real_t rate) {
    const uint32_t outputs = s->y_channels / s->x_channels; /* of an input channel */
    bp_error_t found[BP_ERRORS_AT_ONCE];
    bp_conv_row_t row;
    uint8_t n;
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        bp_conv_row_begin(&row, t, layer);
        bp_errors_begin(errors, j);
        while ((n = bp_errors_next(errors, found)) != 0) {
            bp_conv_row_add(&row, found, n);
            bp_depthwise_gradient(row.g, x + (size_t)(j / outputs), layer->x_zp, s, found, n);
        }
        bp_conv_row_end(&row, t, layer, j, rate);
    }
}
