/* From the channels of an image's record to those of packed code. */
#ifndef BYTEPROP_PREPARED_CHANNELS_H
#define BYTEPROP_PREPARED_CHANNELS_H

#include <byteprop/kernels.h>
#include <stdint.h>

#include "prepared/step.h"

/* Output channels of an op; all pointers are ROM. Weight k of a channel is at
 * weights + channel * channel_step + k * tap_step. */
typedef struct {
    const uint8_t *weights;
    const uint8_t *bias;
    const uint8_t *mult_q31;
    const uint8_t *lshift;
    uint32_t n;
    uint32_t channel_step;
    uint32_t tap_step;
    uint32_t taps;
    uint8_t scaling_step; /* 1; or 0: one multiplier and shift for all */
    int8_t y_zp;
    int8_t y_min;
    int8_t y_max;
} bp_channels_t;

int8_t bp_channel_weight(const bp_channels_t *channels, uint32_t channel, uint32_t tap);
/* The conditions of isa/packed.h hold, or can be made to: a channel whose weights are all 0 has one
 * output, which other constants give too. */
int bp_channels_can_be_packed(const bp_channels_t *channels);
/* Constants of n slots, a multiple of the CPU's lanes. Slot i stands for channel first + i; where
 * that is not below `end`, for none, or, with period, for channel i mod period. */
bp_packed_scaling_t bp_pack_scaling(bp_store_t *store, const bp_channels_t *channels, uint32_t n,
                                    uint32_t first, uint32_t end, uint32_t period,
                                    const bp_packed_isa_t *isa);

#endif
