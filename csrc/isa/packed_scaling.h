/* Requantisation of a vector of sums, for files that have included their vectors. */
#ifndef BYTEPROP_ISA_PACKED_SCALING_H
#define BYTEPROP_ISA_PACKED_SCALING_H

#include "isa/packed.h"

/* Constants of a vector's channels. */
typedef struct {
    vec_t bias, rshift;
    sum_mult_t mult;
    range_t range;
} scaling_t;

PACKED_INLINE scaling_t load_scaling(const bp_packed_scaling_t *s, uint32_t first) {
    return (scaling_t){
        .bias = load_sums(s->bias + first),
        .rshift = load_sums(s->rshift + first),
        .mult = sum_mult_of(load_sums(s->mult_q31 + first), load_sums(s->rounding + first)),
        .range = range_of(s->y_min, s->y_max),
    };
}

PACKED_INLINE vec_t scaled(vec_t sum, const scaling_t *s) {
    return shift_right(mul_high_sum(sum, &s->mult), s->rshift);
}

#endif
