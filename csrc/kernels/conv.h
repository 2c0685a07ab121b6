/* What the convolutions have in common. */
#ifndef BYTEPROP_CONV_H
#define BYTEPROP_CONV_H

#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stdbool.h>

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

/* Bytes of a row of weights: the inputs of one group in a window, rounded up to 4. */
static inline uint32_t bp_conv_row_stride(const bp_conv_shape_t *s, uint16_t groups) {
    const uint32_t n = (uint32_t)s->window[0].kernel * s->window[1].kernel * s->x_channels / groups;
    return (n + 3u) & ~(uint32_t)3;
}

/* A pixel of bp_conv_s8 is a dense layer for each group of channels. */
static inline bp_dense_s8_t bp_conv_first_group(const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    return (bp_dense_s8_t){
        .weights = p->weights,
        .bias = p->bias,
        .mult_q31 = p->mult_q31,
        .lshift = p->lshift,
        .n_in = (uint16_t)(taps * s->x_channels / p->groups),
        .n_out = (uint16_t)(s->y_channels / p->groups),
        .row_stride = (uint16_t)bp_conv_row_stride(s, p->groups),
        .per_channel = 1,
        .y_zp = p->y_zp,
        .y_min = p->y_min,
        .y_max = p->y_max,
        .fast = p->fast,
    };
}

static inline void bp_conv_next_group(bp_dense_s8_t *group) {
    group->weights += (size_t)group->n_out * group->row_stride;
    group->bias += (size_t)4 * group->n_out;
    group->mult_q31 += (size_t)4 * group->n_out;
    group->lshift += group->n_out;
}

/* `left` pixels one by one, from pixel number `first` on, whose outputs are at y. direction: 1 forward,
 * -1 backward. */
void bp_conv_pixels(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p,
                    uint32_t first, uint32_t left, int32_t direction);
/* The first pixels of a FAST convolution in blocks, as many as whole blocks have; how many. `pixels`
 * in all. y: the first one's outputs in this direction. */
uint32_t bp_conv_blocks(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p,
                        uint32_t pixels, int32_t direction);

/* Whether bp_conv_by_planes takes the shape of a FAST convolution. */
bool bp_conv_has_planes(const bp_conv_s8_t *p);
void bp_conv_by_planes(int8_t *y, const int8_t *x, const bp_conv_s8_t *p, int32_t direction);

#endif
