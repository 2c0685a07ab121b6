/* What the convolutions have in common. */
#ifndef BYTEPROP_CONV_H
#define BYTEPROP_CONV_H

#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

/* The output of a channel from its sum of products. */
static inline int8_t bp_conv_output(int32_t sum, const bp_conv_s8_t *p, uint32_t channel) {
    sum = bp_add_wrap(BP_ROM_I32(p->bias + (size_t)(4 * channel)), sum);
    sum = bp_requant(sum, BP_ROM_I32(p->mult_q31 + (size_t)(4 * channel)),
                     BP_ROM_I8(p->lshift + (size_t)channel));
    return (int8_t)bp_clamp(bp_add_wrap(sum, p->y_zp), p->y_min, p->y_max);
}

/* Input positions from the first tap to the last, both included. */
static inline uint32_t bp_reach(const bp_window_t *window) {
    return (uint32_t)(window->kernel - 1u) * window->dilation + 1;
}

#endif
