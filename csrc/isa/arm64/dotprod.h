/* SDOT, for compilers that have no intrinsic for it unless all of a program may use it. */
#ifndef BYTEPROP_ISA_DOTPROD_H
#define BYTEPROP_ISA_DOTPROD_H

#include <arm_neon.h>

static inline __attribute__((always_inline)) int32x4_t sdot(int32x4_t sum, int8x16_t x,
                                                            int8x16_t w) {
    __asm__(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w));
    return sum;
}

#endif
