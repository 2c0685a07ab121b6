/* bp_conv_columns_s8 for Cortex-M0, M0+ and M23, in the form of isa/lanes/lanes.h: 12 instructions for
 * an input of 4 pixels, because all four are at hand. gcc 12 keeps too little in low registers. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV6M

#include "isa/lanes/lanes.h"

#define WORDS(lower, upper)                                                                        \
    "ldrsb r6, [r0, r4]\n\t"                                                                       \
    "ldrsb r7, [r1, r4]\n\t"                                                                       \
    "lsls r7, r7, #16\n\t"                                                                         \
    "adds r6, r6, r7\n\t"                                                                          \
    "str r6, [r5, #" lower "]\n\t"                                                                 \
    "ldrsb r6, [r2, r4]\n\t"                                                                       \
    "ldrsb r7, [r3, r4]\n\t"                                                                       \
    "lsls r7, r7, #16\n\t"                                                                         \
    "adds r6, r6, r7\n\t"                                                                          \
    "str r6, [r5, #" upper "]\n\t"
/* Registers: r0, r1, r2, r3 pixels, just behind the last inputs of a run; r4 input, counting
 * -n .. -1; r5 column; r6, r7 words; r8 pitch; r9 -n; r10 runs left. */
__attribute__((naked, noinline)) static void put_runs(int8_t *columns __attribute__((unused)),
                                                      const int8_t *const *x
                                                      __attribute__((unused)),
                                                      const bp_runs_t *runs
                                                      __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "push {r4-r6}\n\t"
            "movs r5, r0\n\t"
            "ldm r2!, {r4, r6, r7}\n\t" /* n, count, pitch */
            "mov r8, r7\n\t"
            "mov r10, r6\n\t"
            "ldm r1!, {r0, r2, r3, r6}\n\t"
            "adds r0, r0, r4\n\t"
            "adds r1, r2, r4\n\t"
            "adds r2, r3, r4\n\t"
            "adds r3, r6, r4\n\t"
            "rsbs r4, r4, #0\n\t"
            "mov r9, r4\n"
            "1:\n\t" /* a run */
            "lsls r6, r4, #31\n\t"
            "beq 2f\n\t"
            WORDS("0", "4")
            "adds r5, #8\n\t"
            "adds r4, #1\n\t"
            "beq 3f\n"
            "2:\n\t" /* 2 inputs a turn */
            WORDS("0", "4")
            "adds r4, #1\n\t"
            WORDS("8", "12")
            "adds r5, #16\n\t"
            "adds r4, #1\n\t"
            "bne 2b\n"
            "3:\n\t"
            "add r0, r8\n\t"
            "add r1, r8\n\t"
            "add r2, r8\n\t"
            "add r3, r8\n\t"
            "mov r4, r9\n\t"
            "mov r6, r10\n\t"
            "subs r6, #1\n\t"
            "mov r10, r6\n\t"
            "bne 1b\n\t"
            "pop {r4-r6}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}

/* Runs of 3 inputs of an image of one channel, whose 4 pixels are neighbours, in either order: 6
 * inputs make 5 words, one of which is needed twice. 32 instructions for a run of the 4 pixels.
 * Registers: r0 column, r1 x, r2 bytes to the next run, r3 runs left; r6 word, r7 scratch. */
#define INPUT(at, to) "movs r7, #" at "\n\tldrsb " to ", [r1, r7]\n\t"
#define UP(a, b) "lsls r6, " b ", #16\n\tadds r6, r6, " a "\n\t"
#define DOWN(a, b) "lsls r6, " a ", #16\n\tadds r6, r6, " b "\n\t"
#define PUT(at) "str r6, [r0, #" at "]\n\t"
/* clang-format off */
#define THREES(JOIN, lower, upper)                                                                 \
    __asm__(".syntax unified\n\t"                                                                  \
            "push {r4-r7, lr}\n"                                                                   \
            "1:\n\t"                                                                               \
            INPUT("0", "r4") INPUT("1", "r5") JOIN("r4", "r5") PUT(lower)                          \
            INPUT("2", "r4") JOIN("r5", "r4") PUT(lower " + 8")                                    \
            INPUT("3", "r5") JOIN("r4", "r5") PUT(lower " + 16") PUT(upper)                        \
            INPUT("4", "r4") JOIN("r5", "r4") PUT(upper " + 8")                                    \
            INPUT("5", "r5") JOIN("r4", "r5") PUT(upper " + 16")                                   \
            "adds r0, #24\n\t"                                                                     \
            "adds r1, r1, r2\n\t"                                                                  \
            "subs r3, #1\n\t"                                                                      \
            "bne 1b\n\t"                                                                           \
            "pop {r4-r7, pc}\n\t")
/* clang-format on */

__attribute__((naked, noinline)) static void
put_threes_up(int8_t *column __attribute__((unused)), const int8_t *x __attribute__((unused)),
              uint32_t pitch __attribute__((unused)), uint32_t count __attribute__((unused))) {
    THREES(UP, "0", "4");
}

__attribute__((naked, noinline)) static void
put_threes_down(int8_t *column __attribute__((unused)), const int8_t *x __attribute__((unused)),
                uint32_t pitch __attribute__((unused)), uint32_t count __attribute__((unused))) {
    THREES(DOWN, "4", "0");
}

void bp_conv_columns_s8_armv6m(int8_t *columns, uint32_t at, const int8_t *const *x,
                               const bp_runs_t *runs) {
    columns += (size_t)(4 * BP_LANES_WORDS * at);
    if (runs->n == 3) {
        const int8_t *first = x[0], *last = x[3];
        if (last == first - 3 && x[1] == first - 1 && x[2] == first - 2) {
            put_threes_down(columns, last, runs->pitch, runs->count);
            return;
        }
        if (last == first + 3 && x[1] == first + 1 && x[2] == first + 2) {
            put_threes_up(columns, first, runs->pitch, runs->count);
            return;
        }
    }
    put_runs(columns, x, runs);
}
#endif
