/* bp_dot_rows_s8 for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: two products an
 * instruction. A word of x is widened to two pairs of halfwords, which serve all 4 rows.
 * In assembly because gcc 12 does not fold the rotation into SXTB16 and runs out of registers. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV7EM

/* Registers: r1 x, r2 row 0, r3 row_stride, r12 row 3, r4 .. r7 sums, lr columns left;
 * r8, r9 x as halfwords (columns 0 and 2, 1 and 3), r10, r11, r0 weights. */
#define LOAD_X "ldr r9, [r1], #4\n\t"
#define TWO_ROWS(sum_a, sum_b)                                                                     \
    "sxtb16 r0, r10\n\t"                                                                           \
    "sxtb16 r10, r10, ror #8\n\t"                                                                  \
    "smlad " sum_a ", r0, r8, " sum_a "\n\t"                                                       \
    "smlad " sum_a ", r10, r9, " sum_a "\n\t"                                                      \
    "sxtb16 r0, r11\n\t"                                                                           \
    "sxtb16 r11, r11, ror #8\n\t"                                                                  \
    "smlad " sum_b ", r0, r8, " sum_b "\n\t"                                                       \
    "smlad " sum_b ", r11, r9, " sum_b "\n\t"
/* clang-format off */
#define FOUR_COLUMNS                                                                               \
    "ldr r10, [r2, r3, lsl #1]\n\t"                                                                \
    "ldr r11, [r2, r3]\n\t"                                                                        \
    "sxtb16 r8, r9\n\t"                                                                            \
    "sxtb16 r9, r9, ror #8\n\t"                                                                    \
    TWO_ROWS("r6", "r5")                                                                           \
    "ldr r10, [r2], #4\n\t"                                                                        \
    "ldr r11, [r12], #4\n\t"                                                                       \
    TWO_ROWS("r4", "r7")
/* clang-format on */

__attribute__((naked)) void bp_dot_rows_s8_armv7em(int32_t *acc __attribute__((unused)),
                                                   const int8_t *x __attribute__((unused)),
                                                   const uint8_t *weights __attribute__((unused)),
                                                   uint16_t row_stride __attribute__((unused)),
                                                   uint16_t n_in __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r0, r4-r11, lr}\n\t"
            "ldr lr, [sp, #40]\n\t" /* n_in */
            "add r12, r3, r3, lsl #1\n\t"
            "add r12, r12, r2\n\t"
            "movs r4, #0\n\t"
            "movs r5, #0\n\t"
            "movs r6, #0\n\t"
            "movs r7, #0\n\t"
            "subs lr, lr, #16\n\t"
            "blo 2f\n"
            "1:\n\t" /* 16 columns a turn */
            LOAD_X FOUR_COLUMNS LOAD_X FOUR_COLUMNS LOAD_X FOUR_COLUMNS LOAD_X FOUR_COLUMNS
            "subs lr, lr, #16\n\t"
            "bhs 1b\n"
            "2:\n\t"
            "adds lr, lr, #16\n"
            "3:\n\t" /* 4 columns a turn */
            "subs lr, lr, #4\n\t"
            "blo 5f\n\t"
            LOAD_X
            "4:\n\t"
            FOUR_COLUMNS
            "b 3b\n"
            "5:\n\t" /* the last 1 to 3: a word of x filled up with 0, then no columns are left */
            "adds lr, lr, #4\n\t"
            "beq 6f\n\t"
            "ldrb r9, [r1]\n\t"
            "cmp lr, #2\n\t"
            "itt hs\n\t"
            "ldrbhs r8, [r1, #1]\n\t"
            "orrhs r9, r9, r8, lsl #8\n\t"
            "itt hi\n\t"
            "ldrbhi r8, [r1, #2]\n\t"
            "orrhi r9, r9, r8, lsl #16\n\t"
            "mov lr, #0\n\t"
            "b 4b\n"
            "6:\n\t"
            "pop {r0}\n\t"
            "stm r0, {r4-r7}\n\t"
            "pop {r4-r11, pc}\n\t");
    /* clang-format on */
}
#endif
