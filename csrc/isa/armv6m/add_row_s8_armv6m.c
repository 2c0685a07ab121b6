/* bp_add_row_s8 for Cortex-M0, M0+ and M23: 23 instructions for 4 weights. In assembly because gcc 12
 * takes a constant into a register for each weight. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV6M

#define ADD(sum)                                                                                   \
    "ldrsb r6, [r1, r3]\n\t"                                                                       \
    "muls r6, r2, r6\n\t"                                                                          \
    "adds " sum ", " sum ", r6\n\t"                                                                \
    "adds r3, #1\n\t"

/* Registers: r0 sums; r1 behind the weights; r2 factor; r3 weight, counting -n .. -1. */
__attribute__((naked)) void bp_add_row_s8_armv6m(int32_t *sums __attribute__((unused)),
                                                 const int8_t *row __attribute__((unused)),
                                                 int32_t factor __attribute__((unused)),
                                                 uint32_t n __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "adds r1, r1, r3\n\t"
            "rsbs r3, r3, #0\n\t"
            "beq 3f\n"
            "1:\n\t"
            "lsls r7, r3, #30\n\t"
            "bne 2f\n"
            "4:\n\t"
            "ldr r4, [r0]\n\t"
            "ldr r5, [r0, #4]\n\t"
            ADD("r4") ADD("r5")
            "stm r0!, {r4, r5}\n\t"
            "ldr r4, [r0]\n\t"
            "ldr r5, [r0, #4]\n\t"
            ADD("r4") ADD("r5")
            "stm r0!, {r4, r5}\n\t"
            "bne 4b\n\t"
            "pop {r4-r7, pc}\n"
            "2:\n\t" /* one, until what is left can be divided by 4 */
            "ldr r4, [r0]\n\t"
            ADD("r4")
            "stm r0!, {r4}\n\t"
            "cmp r3, #0\n\t"
            "bne 1b\n"
            "3:\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}
#endif
