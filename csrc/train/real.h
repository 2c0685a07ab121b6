/* Positive reals without floats, for the multipliers of training: m * 2^(e - 31), m in
 * 2^30 .. 2^31 - 1, or m = 0 for zero. Every operation truncates, so every machine agrees.
 * docs/numerics.md has the equations. */
#ifndef BYTEPROP_TRAIN_REAL_H
#define BYTEPROP_TRAIN_REAL_H

#include <stdint.h>

typedef struct {
    uint32_t m;
    int32_t e; /* 32 bits, so that records have the same size everywhere */
} bp_real_t;

/* From the bits of a positive, normal float32. */
bp_real_t bp_real_from_f32(uint32_t bits);
bp_real_t bp_real_from_u32(uint32_t n);
bp_real_t bp_real_mul(bp_real_t a, bp_real_t b);
/* b is not zero. */
bp_real_t bp_real_div(bp_real_t a, bp_real_t b);
/* a * 2^k. */
bp_real_t bp_real_scale(bp_real_t a, int32_t k);
/* x limited to -limit .. limit. */
int32_t bp_saturated(int64_t x, int32_t limit);
/* clamp(floor(x * a + 1/2), -limit, limit). */
int32_t bp_real_apply(int32_t x, bp_real_t a, int32_t limit);
/* The same of n values, each in its place. */
void bp_real_apply_all(int32_t *x, uint32_t n, bp_real_t a, int32_t limit);

#endif
