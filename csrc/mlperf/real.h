/* float32 numbers, given as their bits, in integer arithmetic: the benchmark has real inputs and
 * real results. */
#ifndef BYTEPROP_MLPERF_REAL_H
#define BYTEPROP_MLPERF_REAL_H

#include <stdint.h>

/* clamp(round(fl32(value / scale)) + zero_point), as the host computes it (docs/numerics.md). scale
 * is positive and not subnormal. A value that is no number becomes the least or the largest. */
int8_t mlperf_quantize(uint32_t value, uint32_t scale, int32_t zero_point);

/* value * factor * 2^fraction, rounded to nearest, halves away from 0, saturated at 2^31 - 1.
 * |factor| < 2^24, fraction < 32. Subnormal values are 0. */
int32_t mlperf_fixed(uint32_t value, int32_t factor, uint8_t fraction);

#endif
