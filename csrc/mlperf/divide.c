#include "divide.h"

#define TOP_BIT ((uint64_t)1 << 63)

uint32_t mlperf_divide(uint64_t *number, uint32_t divisor) {
    uint64_t left = *number;
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (uint8_t bit = 0; bit < 64; bit++) {
        rest = rest << 1 | ((left & TOP_BIT) != 0);
        left <<= 1;
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1u;
        }
    }
    *number = quotient;
    return rest;
}
