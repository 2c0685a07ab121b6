/* What both ways of resizing have in common. */
#ifndef BYTEPROP_OPS_RESIZE_H
#define BYTEPROP_OPS_RESIZE_H

#include <byteprop/kernels.h>

#include "ops/ops.h"
#include "ops/window.h"

enum { BP_RESIZE_ALIGN_CORNERS = 1, BP_RESIZE_HALF_PIXEL_CENTERS = 2 };

/* Images of the same batch and channels; the flags are known. */
static inline bp_status_t bp_check_resize(const uint8_t *x, const uint8_t *y, uint8_t flags) {
    if (bp_record_rank(x) != BP_IMAGE_RANK || bp_record_rank(y) != BP_IMAGE_RANK ||
        bp_record_dim(x, BP_AXIS_BATCH) != bp_record_dim(y, BP_AXIS_BATCH) ||
        bp_record_dim(x, BP_AXIS_CHANNELS) != bp_record_dim(y, BP_AXIS_CHANNELS)) {
        return BP_E_SHAPE;
    }
    return flags <= BP_RESIZE_HALF_PIXEL_CENTERS ? BP_OK : BP_E_PARAM;
}

static inline bp_resize_t bp_resize(const uint8_t *x, const uint8_t *y) {
    return (bp_resize_t){.batch = bp_record_dim(x, BP_AXIS_BATCH),
                         .x_height = bp_record_dim(x, BP_AXIS_HEIGHT),
                         .x_width = bp_record_dim(x, BP_AXIS_WIDTH),
                         .y_height = bp_record_dim(y, BP_AXIS_HEIGHT),
                         .y_width = bp_record_dim(y, BP_AXIS_WIDTH),
                         .channels = bp_record_dim(x, BP_AXIS_CHANNELS)};
}

#endif
