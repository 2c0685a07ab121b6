/* Two pixels in one word, for CPUs with a 32-bit multiplication and no SIMD: X = x0 + 2^16 * x1, so
 * that w * X has two products. Of two neighbours in a column,
 *   s = w * X + w' * X' + 2^15
 * has in its lower lane w * x0 + w' * x0' + 2^15, which is within 0 .. 2^16 - 1 because no weight is
 * -128 and |2 * 127 * -128| < 2^15. So s >> 16 is the upper lane's sum, exactly. With both = sum of s
 * and upper = sum of s >> 16, the pixels' sums are
 *   sum1 = upper,  sum0 = both - 2^16 * upper - 2^15 * number of pairs   modulo 2^32.
 * Columns: for each input of a window, a word of pixels 0 and 1, and one of pixels 2 and 3. */
#ifndef BYTEPROP_ISA_LANES_H
#define BYTEPROP_ISA_LANES_H

#include "isa/primitives.h"

enum { BP_LANES_PIXELS = 4, BP_LANES_WORDS = 2, BP_LANES_OFFSET = 0x8000 };

/* What `both` begins with for n weights, an even number, so that nothing is to be subtracted. */
static inline int32_t bp_lanes_begin(uint32_t n) {
    return -(int32_t)(n / 2 * BP_LANES_OFFSET);
}

bp_conv_columns_t bp_conv_columns_s8_lanes;
bp_conv_block_t bp_conv_block_s8_lanes, bp_conv_block_s8_armv6m;

#endif
