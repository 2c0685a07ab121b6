/* bp_mul_high_q31 for AVR with a multiplier: 16 products of bytes, each column of the 64-bit
 * product summed in three registers, of which the lowest is then done. */
#include "isa/isa.h"

#ifdef BP_ISA_AVR

/* sum += a * b, at the byte of the 64-bit product that low stands for. */
#define PRODUCT(a, b, low, next, carry)                                                            \
    "mul %" a "[a], %" b "[b]\n\t"                                                                 \
    "add " low ", r0\n\t"                                                                          \
    "adc " next ", r1\n\t"                                                                         \
    "adc " carry ", %[zero]\n\t"
/* Of the bytes of the product, 0 is never kept, and 1 and 2 are done before 4 and 5 begin. */
#define P1 "%A[high]"
#define P2 "%B[high]"
#define P3 "%[p3]"
#define P4 "%A[high]"
#define P5 "%B[high]"
#define P6 "%C[high]"
#define P7 "%D[high]"
/* What the top bit of one factor, read as unsigned, was worth too much. */
#define SUBTRACT_IF_NEGATIVE(sign, other)                                                          \
    "tst %D[" sign "]\n\t"                                                                         \
    "brpl 1f\n\t"                                                                                  \
    "sub " P4 ", %A[" other "]\n\t"                                                                \
    "sbc " P5 ", %B[" other "]\n\t"                                                                \
    "sbc " P6 ", %C[" other "]\n\t"                                                                \
    "sbc " P7 ", %D[" other "]\n"                                                                  \
    "1:\n\t"

/* (a * b + 2^30) >> 31, a and b not both INT32_MIN. */
int32_t bp_mul_high_avr(int32_t a, int32_t b) {
    uint32_t high;
    uint8_t p3;
    /* clang-format off */
    __asm__("mul %A[a], %A[b]\n\t"
            "mov " P1 ", r1\n\t"
            "clr " P2 "\n\t"
            "clr " P3 "\n\t"
            PRODUCT("A", "B", P1, P2, P3)
            PRODUCT("B", "A", P1, P2, P3)
            "clr " P4 "\n\t"
            PRODUCT("A", "C", P2, P3, P4)
            PRODUCT("B", "B", P2, P3, P4)
            PRODUCT("C", "A", P2, P3, P4)
            "clr " P5 "\n\t"
            PRODUCT("A", "D", P3, P4, P5)
            PRODUCT("B", "C", P3, P4, P5)
            PRODUCT("C", "B", P3, P4, P5)
            PRODUCT("D", "A", P3, P4, P5)
            "clr " P6 "\n\t"
            PRODUCT("B", "D", P4, P5, P6)
            PRODUCT("C", "C", P4, P5, P6)
            PRODUCT("D", "B", P4, P5, P6)
            "clr " P7 "\n\t"
            PRODUCT("C", "D", P5, P6, P7)
            PRODUCT("D", "C", P5, P6, P7)
            "mul %D[a], %D[b]\n\t"
            "add " P6 ", r0\n\t"
            "adc " P7 ", r1\n\t"
            SUBTRACT_IF_NEGATIVE("a", "b")
            SUBTRACT_IF_NEGATIVE("b", "a")
            /* Bits 31 and up of the product; bit 30 rounds. */
            "lsl " P3 "\n\t"
            "rol " P4 "\n\t"
            "rol " P5 "\n\t"
            "rol " P6 "\n\t"
            "rol " P7 "\n\t"
            "lsl " P3 "\n\t"
            "adc " P4 ", %[zero]\n\t"
            "adc " P5 ", %[zero]\n\t"
            "adc " P6 ", %[zero]\n\t"
            "adc " P7 ", %[zero]\n\t"
            "clr r1\n\t"
            : [high] "=&r"(high), [p3] "=&r"(p3)
            : [a] "r"(a), [b] "r"(b), [zero] "r"((uint8_t)0)
            : "r0", "cc");
    /* clang-format on */
    return (int32_t)high;
}
#endif
