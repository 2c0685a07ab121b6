/* Ops in the form in which they are packed. */
#ifndef BYTEPROP_PREPARED_PACKED_OP_H
#define BYTEPROP_PREPARED_PACKED_OP_H

#include <byteprop/kernels.h>

#include "prepared/channels.h"
#include "prepared/step.h"

typedef struct {
    bp_conv_shape_t shape;
    bp_channels_t channels;
    uint32_t x_offset; /* in the arena */
    uint32_t y_offset;
    uint16_t groups;
    int8_t x_zp;
} bp_packed_op_t;

typedef void bp_prepare_packed_t(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                                 const bp_packed_op_t *op);
bp_prepare_packed_t bp_prepare_packed_conv, bp_prepare_packed_depthwise;

#endif
