#include "train/state.h"

/* Which rows of the last layer are classes. */

int bp_train_is_used(const bp_train_t *t, uint16_t j) {
    const bp_train_layer_t *layer = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    const int8_t *row = (const int8_t *)bp_train_part(t, layer, layer->weights) +
                        (size_t)j * layer->row_stride;
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        if (row[i] != 0) {
            return 1;
        }
    }
    return bp_train_i32(t, layer->bias_master)[j] != BP_UNUSED_BIAS;
}
