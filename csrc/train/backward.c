#include "train/kernels/kernels.h"
#include "train/steps/steps.h"

/* Between the layers on the way down: sums become errors. Those of a dense layer are where their sums
 * are, 32 bits wide; those of an image have 16 bits, and one layer's are kept at a time. */

void bp_train_mask(const bp_train_t *t, const bp_train_layer_t *layer, int32_t *sums) {
    if (layer->activation == BP_ACT_NONE) {
        return;
    }
    const int8_t *y = bp_train_i8(t, layer->y);
    const uint32_t n = bp_train_outputs(layer);
    const uint8_t first = (uint8_t)(layer->y_min + 1);
    const uint8_t inside = (uint8_t)(layer->y_max - first);
    for (uint32_t i = 0; i < n; ++i) {
        if ((uint8_t)(y[i] - first) >= inside) {
            sums[i] = 0;
        }
    }
}

uint8_t bp_train_settle(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    if (BP_TRAIN_HAS_IMAGES && bp_train_layer(t, (uint16_t)(l + 1))->view != BP_VIEW_NONE) {
        return 0; /* the errors of the pool above are this layer's */
    }
    const uint32_t n = bp_train_outputs(layer);
    int32_t *sums = bp_train_sums_below(t, (uint16_t)(l + 1));
    bp_train_mask(t, layer, sums);
    return bp_train_is_dense(layer) ? bp_block_scale(sums, n)
                                    : bp_block_narrow(bp_train_errors_of(t, l), sums, n);
}
