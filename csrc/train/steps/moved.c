#include "train/steps/steps.h"

/* What PAD, ADD and CONCATENATION have in common: they have no weights, and any shape. */

enum { MAX_CHANNELS = 32767 };
#define MAX_POSITIONS 65535u

bp_status_t bp_train_read_moved(bp_train_layer_t *layer, const uint8_t *y) {
    const uint32_t n = bp_record_last_dim(y), positions = bp_record_elems(y) / n;
    if (n > MAX_CHANNELS || positions > MAX_POSITIONS || bp_record_dtype(y) != BP_DTYPE_INT8) {
        return BP_E_UNSUPPORTED;
    }
    layer->n_out = (uint16_t)n;
    layer->positions = (uint16_t)positions;
    layer->y_zp = (int8_t)bp_record_zero_point(y);
    layer->y_min = INT8_MIN;
    layer->y_max = INT8_MAX;
    layer->activation = BP_ACT_NONE;
    return BP_OK;
}
