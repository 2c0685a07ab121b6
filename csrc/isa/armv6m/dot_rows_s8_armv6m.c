/* bp_dot_rows_s8 for Cortex-M0, M0+ and M23: 14 instructions for 4 products. The 8 low registers
 * hold what loads and multiplies; the sums lie in high registers, which can only be added to.
 * In assembly because gcc 12 does not allocate registers this way. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV6M

/* Registers: r1 x, r2, r4, r5, r3 rows 0 .. 3, all just behind column n_in - 1; r7 column, counting
 * -n_in .. -1; r0 x[i], r6 weight; r8 .. r11 sums. */
#define PRODUCT(row, sum)                                                                          \
    "ldrsb r6, [" row ", r7]\n\t"                                                                  \
    "muls r6, r0, r6\n\t"                                                                          \
    "add " sum ", r6\n\t"
#define COLUMN                                                                                     \
    "ldrsb r0, [r1, r7]\n\t" PRODUCT("r2", "r8") PRODUCT("r4", "r9") PRODUCT("r5", "r10")          \
        PRODUCT("r3", "r11") "adds r7, #1\n\t"

__attribute__((naked)) void bp_dot_rows_s8_armv6m(int32_t *acc __attribute__((unused)),
                                                  const int8_t *x __attribute__((unused)),
                                                  const uint8_t *weights __attribute__((unused)),
                                                  uint16_t row_stride __attribute__((unused)),
                                                  uint16_t n_in __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r0, r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r4-r7}\n\t"
            "ldr r7, [sp, #40]\n\t" /* n_in */
            "adds r1, r1, r7\n\t"
            "adds r2, r2, r7\n\t"
            "adds r4, r2, r3\n\t"
            "adds r5, r4, r3\n\t"
            "adds r3, r5, r3\n\t"
            "movs r0, #0\n\t"
            "mov r8, r0\n\t"
            "mov r9, r0\n\t"
            "mov r10, r0\n\t"
            "mov r11, r0\n\t"
            "rsbs r7, r7, #0\n"
            "1:\n\t" /* single columns until a multiple of 4 is left */
            "lsls r0, r7, #30\n\t"
            "beq 2f\n\t"
            COLUMN
            "bne 1b\n\t"
            "b 3f\n"
            "2:\n\t" /* 4 columns a turn */
            COLUMN COLUMN COLUMN COLUMN
            "bne 2b\n"
            "3:\n\t"
            "mov r0, r8\n\t"
            "mov r1, r9\n\t"
            "mov r2, r10\n\t"
            "mov r3, r11\n\t"
            "pop {r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r4}\n\t" /* acc */
            "stm r4!, {r0-r3}\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}
#endif
