/* bp_dot_rows_s8 for Cortex-M3 and other Thumb-2 cores without the DSP extension: 9 instructions
 * for 4 products. The loads stand together because this core overlaps loads that follow each other.
 * In assembly because gcc 12 keeps more pointers than there are registers. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV7M

/* Registers: r1 x, r2 row 0, r3 row_stride, r12 row 3, r4 .. r7 sums, lr columns left; r8 x[i],
 * r9, r10, r11, r0 weights. */
#define COLUMN                                                                                     \
    "ldrsb r8, [r1], #1\n\t"                                                                       \
    "ldrsb r9, [r2, r3, lsl #1]\n\t"                                                               \
    "ldrsb r10, [r2, r3]\n\t"                                                                      \
    "ldrsb r11, [r2], #1\n\t"                                                                      \
    "ldrsb r0, [r12], #1\n\t"                                                                      \
    "mla r6, r9, r8, r6\n\t"                                                                       \
    "mla r5, r10, r8, r5\n\t"                                                                      \
    "mla r4, r11, r8, r4\n\t"                                                                      \
    "mla r7, r0, r8, r7\n\t"
#define FOUR_COLUMNS COLUMN COLUMN COLUMN COLUMN

__attribute__((naked)) void bp_dot_rows_s8_armv7m(int32_t *acc __attribute__((unused)),
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
            "subs lr, lr, #8\n\t"
            "blo 2f\n"
            "1:\n\t" /* 8 columns a turn */
            FOUR_COLUMNS FOUR_COLUMNS
            "subs lr, lr, #8\n\t"
            "bhs 1b\n"
            "2:\n\t"
            "adds lr, lr, #8\n\t"
            "beq 4f\n"
            "3:\n\t" /* the last 1 to 7 */
            COLUMN
            "subs lr, lr, #1\n\t"
            "bne 3b\n"
            "4:\n\t"
            "pop {r0}\n\t"
            "stm r0, {r4-r7}\n\t"
            "pop {r4-r11, pc}\n\t");
    /* clang-format on */
}
#endif
