#ifndef BYTEPROP_MLPERF_DIVIDE_H
#define BYTEPROP_MLPERF_DIVIDE_H

#include <stdint.h>

/* *number becomes *number / divisor; returns the rest. 0 < divisor < 2^31. Written out, since not
 * every toolchain has a library for its CPU with 64-bit division. */
uint32_t mlperf_divide(uint64_t *number, uint32_t divisor);

#endif
