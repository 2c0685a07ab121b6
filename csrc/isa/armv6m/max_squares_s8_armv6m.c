/* bp_max_squares_s8 for Cortex-M0, M0+ and M23: 17 instructions for an output, and 2 for each input
 * that is greater than those before. In assembly because gcc 12 keeps too little in low registers. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV6M

/* The greater one of r5 and the next tap, whose number r7 is then. */
#define TAP(x, number)                                                                             \
    "ldrsb r6, [" x ", r4]\n\t"                                                                    \
    "cmp r6, r5\n\t"                                                                               \
    "ble 3f\n\t"                                                                                   \
    "movs r5, r6\n\t"                                                                              \
    "movs r7, #" number "\n"                                                                       \
    "3:\n\t"

/* Registers: r0 .. r3 the taps of a window, just behind their last channels; r4 channel, counting
 * -n .. -1; r5 greatest; r6 scratch; r7 its tap; r8 y and r9 places, as the taps; r10 step; r11 n; r12
 * windows left. A place is written first, so that places may be y. */
__attribute__((naked, noinline)) static void
put_windows(int8_t *y __attribute__((unused)), uint8_t *places __attribute__((unused)),
            const int8_t *x __attribute__((unused)), const bp_squares_t *s __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r4-r7}\n\t"
            "ldm r3!, {r4-r7}\n\t" /* channels, windows, step, row_step */
            "mov r12, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r4\n\t"
            "adds r5, r0, r4\n\t"
            "mov r8, r5\n\t"
            "adds r5, r1, r4\n\t"
            "mov r9, r5\n\t"
            "adds r0, r2, r4\n\t"
            "adds r1, r0, r4\n\t"
            "adds r2, r0, r7\n\t"
            "adds r3, r1, r7\n"
            "1:\n\t"
            "mov r4, r11\n\t"
            "rsbs r4, r4, #0\n"
            "2:\n\t"
            "ldrsb r5, [r0, r4]\n\t"
            "movs r7, #0\n\t"
            TAP("r1", "1")
            TAP("r2", "2")
            TAP("r3", "3")
            "mov r6, r9\n\t"
            "strb r7, [r6, r4]\n\t"
            "mov r6, r8\n\t"
            "strb r5, [r6, r4]\n\t"
            "adds r4, #1\n\t"
            "bne 2b\n\t"
            "add r0, r10\n\t"
            "add r1, r10\n\t"
            "add r2, r10\n\t"
            "add r3, r10\n\t"
            "add r8, r11\n\t"
            "add r9, r11\n\t"
            "mov r4, r12\n\t"
            "subs r4, #1\n\t"
            "mov r12, r4\n\t"
            "bne 1b\n\t"
            "pop {r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}

void bp_max_squares_s8_armv6m(int8_t *y, uint8_t *places, const int8_t *x, const bp_squares_t *s) {
    put_windows(y, places == NULL ? (uint8_t *)y : places, x, s);
}
#endif
