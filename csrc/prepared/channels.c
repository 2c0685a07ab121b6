#include "isa/isa.h"

#if BP_ISA_AT_RUN_TIME
#include "prepared/channels.h"

#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <stdbool.h>

enum { MOST_SHIFT = 22, MOST_SUM = 1 << 28 };

/* What a channel's weights and numbers are. */
typedef struct {
    int32_t sum;
    uint32_t size; /* sum of magnitudes: at most 65532 * 128 */
    int32_t bias;
    int32_t mult_q31;
    int8_t lshift;
} channel_t;

int8_t bp_channel_weight(const bp_channels_t *c, uint32_t channel, uint32_t tap) {
    return BP_ROM_I8(c->weights + (size_t)channel * c->channel_step + (size_t)tap * c->tap_step);
}

static channel_t read_channel(const bp_channels_t *c, uint32_t channel) {
    const size_t at = (size_t)channel * c->scaling_step;
    channel_t found = {
        .bias = BP_ROM_I32(c->bias + 4 * (size_t)channel),
        .mult_q31 = BP_ROM_I32(c->mult_q31 + 4 * at),
        .lshift = BP_ROM_I8(c->lshift + at),
    };
    for (uint32_t tap = 0; tap < c->taps; ++tap) {
        const int32_t weight = bp_channel_weight(c, channel, tap);
        found.sum += weight;
        found.size += (uint32_t)(weight < 0 ? -weight : weight);
    }
    return found;
}

/* The output is the bias's alone, so a bias that is the output, rescaled by 1, does as well. */
static void simplify(channel_t *channel, const bp_channels_t *c) {
    const int32_t scaled = bp_requant(channel->bias, channel->mult_q31, channel->lshift);
    const int32_t y = bp_clamp(bp_add_wrap(scaled, c->y_zp), c->y_min, c->y_max);
    channel->bias = 4 * (y - c->y_zp);
    channel->mult_q31 = (int32_t)1 << 30;
    channel->lshift = -1;
}

static bool is_small(const channel_t *channel) {
    const int32_t bias = channel->bias;
    const uint32_t size = bias < 0 ? 0 - (uint32_t)bias : (uint32_t)bias;
    return channel->lshift < 0 && channel->lshift >= -MOST_SHIFT && size < MOST_SUM &&
           size + 128 * channel->size < MOST_SUM;
}

int bp_channels_can_be_packed(const bp_channels_t *channels) {
    for (uint32_t i = 0; i < channels->n; ++i) {
        const channel_t channel = read_channel(channels, i);
        if (channel.size != 0 && !is_small(&channel)) {
            return 0;
        }
    }
    return 1;
}

static bp_packed_scaling_t take_scaling(bp_store_t *store, const bp_channels_t *c, uint32_t n) {
    return (bp_packed_scaling_t){
        .bias = (const int32_t *)(const void *)bp_store_take(store, 4 * (size_t)n),
        .mult_q31 = (const int32_t *)(const void *)bp_store_take(store, 4 * (size_t)n),
        .rshift = (const int32_t *)(const void *)bp_store_take(store, 4 * (size_t)n),
        .rounding = (const int32_t *)(const void *)bp_store_take(store, 4 * (size_t)n),
        .y_min = c->y_min,
        .y_max = c->y_max,
    };
}

static void put_slot(const bp_packed_scaling_t *scaling, uint32_t slot, const channel_t *channel,
                     int8_t y_zp, const bp_packed_isa_t *isa) {
    const int32_t rshift = -channel->lshift;
    const uint32_t offset = isa->is_unsigned ? 128 * (uint32_t)channel->sum : 0;
    ((int32_t *)scaling->bias)[slot] =
        (int32_t)((uint32_t)channel->bias + (uint32_t)isa->sum_offset - offset);
    ((int32_t *)scaling->mult_q31)[slot] = channel->mult_q31;
    ((int32_t *)scaling->rshift)[slot] = rshift;
    ((int32_t *)scaling->rounding)[slot] = bp_short_rounding(y_zp, (uint8_t)rshift);
}

bp_packed_scaling_t bp_pack_scaling(bp_store_t *store, const bp_channels_t *channels, uint32_t n,
                                    uint32_t first, uint32_t end, uint32_t period,
                                    const bp_packed_isa_t *isa) {
    const bp_packed_scaling_t scaling = take_scaling(store, channels, n);
    for (uint32_t i = 0; scaling.bias != NULL && i < n; ++i) {
        const uint32_t at = period != 0 ? i % period : first + i;
        channel_t channel = {.lshift = -1};
        if (at < end) {
            channel = read_channel(channels, at);
            if (channel.size == 0) {
                simplify(&channel, channels);
            }
        }
        put_slot(&scaling, i, &channel, channels->y_zp, isa);
    }
    return scaling;
}

#endif
