/* A convolution's block for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: 4 pixels, one
 * output channel at a time; 13 instructions for 16 products. Columns are halfwords: for every 4 inputs,
 * 4 words with inputs 0 and 2 of each pixel, then 4 words with inputs 1 and 3, as SXTB16 splits the
 * weights. In assembly because gcc 12 does not find these registers. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV7EM

#define S(instruction) instruction "\n\t"

/* ---- columns ---- */

/* Registers: r0 columns, r1 .. r4 pixels. */
#define FOUR_INPUTS                                                                                \
    S("ldr r5, [r1], #4")                                                                          \
    S("ldr r6, [r2], #4")                                                                          \
    S("ldr r7, [r3], #4")                                                                          \
    S("ldr r8, [r4], #4")                                                                          \
    S("sxtb16 r9, r5")                                                                             \
    S("sxtb16 r10, r6")                                                                            \
    S("sxtb16 r11, r7")                                                                            \
    S("sxtb16 r12, r8")                                                                            \
    S("stm r0!, {r9-r12}")                                                                         \
    S("sxtb16 r5, r5, ror #8")                                                                     \
    S("sxtb16 r6, r6, ror #8")                                                                     \
    S("sxtb16 r7, r7, ror #8")                                                                     \
    S("sxtb16 r8, r8, ror #8")                                                                     \
    S("stm r0!, {r5-r8}")
#define NEXT_RUN(gap)                                                                              \
    S("add r1, r1, " gap)                                                                          \
    S("add r2, r2, " gap)                                                                          \
    S("add r3, r3, " gap)                                                                          \
    S("add r4, r4, " gap)
/* One input of each pixel, where its halfwords are. */
#define ONE_INPUT(place)                                                                           \
    S("ldrsb r10, [r1], #1")                                                                       \
    S("ldrsb r11, [r2], #1")                                                                       \
    S("ldrsb r12, [r3], #1")                                                                       \
    S("ldrsb lr, [r4], #1")                                                                        \
    S("strh r10, [r0, #" place "]")                                                                \
    S("strh r11, [r0, #" place " + 4]")                                                            \
    S("strh r12, [r0, #" place " + 8]")                                                            \
    S("strh lr, [r0, #" place " + 12]")

__attribute__((naked)) void
bp_conv_columns_s8_armv7em(int8_t *columns __attribute__((unused)), uint32_t at __attribute__((unused)),
                        const int8_t *const *x __attribute__((unused)),
                        const bp_runs_t *runs __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r4-r11, lr}")
            S("ldm r3, {r5-r7}") /* n, count, pitch */
            S("sub r7, r7, r5")  /* gap from run to run */
            S("bic r4, r1, #3")
            S("add r0, r0, r4, lsl #3")
            S("orr r4, r1, r5")
            S("and r8, r1, #3")
            S("lsls r4, r4, #30")
            S("ldm r2, {r1-r4}")
            S("bne 5f")
            /* whole words: stack: words of a run, runs left, gap */
            S("lsr r5, r5, #2")
            S("push {r5-r7}")
            "1:\n\t"
            S("ldr lr, [sp]")
            S("lsrs lr, lr, #1")
            S("bcc 3f")
            FOUR_INPUTS
            S("beq 4f") /* no word is left */
            "3:\n\t"
            FOUR_INPUTS FOUR_INPUTS
            S("subs lr, lr, #1")
            S("bne 3b")
            "4:\n\t"
            S("ldrd r5, r6, [sp, #4]")
            NEXT_RUN("r6")
            S("subs r5, r5, #1")
            S("str r5, [sp, #4]")
            S("bne 1b")
            S("add sp, sp, #12")
            S("pop {r4-r11, pc}")
            /* input by input: r5 n, r6 runs left, r7 gap, r8 input's place in its word, r9 inputs left */
            "5:\n\t"
            S("mov r9, r5")
            S("tbb [pc, r8]")
            "6:\n\t"
            ".byte (10f - 6b) / 2, (11f - 6b) / 2, (12f - 6b) / 2, (13f - 6b) / 2\n"
            "10:\n\t"
            ONE_INPUT("0")
            S("subs r9, r9, #1")
            S("beq 14f")
            "11:\n\t"
            ONE_INPUT("16")
            S("subs r9, r9, #1")
            S("beq 14f")
            "12:\n\t"
            ONE_INPUT("2")
            S("subs r9, r9, #1")
            S("beq 14f")
            "13:\n\t"
            ONE_INPUT("18")
            S("add r0, r0, #32")
            S("subs r9, r9, #1")
            S("bne 10b")
            "14:\n\t"
            NEXT_RUN("r7")
            S("add r8, r8, r5")
            S("and r8, r8, #3")
            S("subs r6, r6, #1")
            S("bne 5b")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}

/* ---- outputs ---- */

/* The offsets that the assembly has of bp_dense_s8_t. */
typedef char bp_armv7em_offsets[offsetof(bp_dense_s8_t, weights) == 0 &&
                                        offsetof(bp_dense_s8_t, bias) == 4 &&
                                        offsetof(bp_dense_s8_t, mult_q31) == 8 &&
                                        offsetof(bp_dense_s8_t, lshift) == 12 &&
                                        offsetof(bp_dense_s8_t, n_out) == 18 &&
                                        offsetof(bp_dense_s8_t, row_stride) == 20 &&
                                        offsetof(bp_dense_s8_t, y_zp) == 23
                                    ? 1
                                    : -1];

/* Registers: r0 columns, r1 weights, r3 .. r6 inputs of the pixels, r7 .. r10 their sums, r11, r12
 * weights, lr turns left; r2 the channel, counting -n_out .. -1. */
#define FOUR_PRODUCTS                                                                              \
    S("ldr r11, [r1], #4")                                                                         \
    S("ldm r0!, {r3-r6}")                                                                          \
    S("sxtb16 r12, r11")                                                                           \
    S("smlad r7, r12, r3, r7")                                                                     \
    S("smlad r8, r12, r4, r8")                                                                     \
    S("smlad r9, r12, r5, r9")                                                                     \
    S("smlad r10, r12, r6, r10")                                                                   \
    S("ldm r0!, {r3-r6}")                                                                          \
    S("sxtb16 r11, r11, ror #8")                                                                   \
    S("smlad r7, r11, r3, r7")                                                                     \
    S("smlad r8, r11, r4, r8")                                                                     \
    S("smlad r9, r11, r5, r9")                                                                     \
    S("smlad r10, r11, r6, r10")
/* bp_requant_short: SMMLAR adds the rounding to the high word of twice the sum times the multiplier.
 * r0 multiplier, r3 rounding, r4 right shift. */
#define OUTPUT(sum, place)                                                                         \
    S("add r11, r3, " sum ", asr #31")                                                             \
    S("lsl " sum ", " sum ", #1")                                                                  \
    S("smmlar " sum ", " sum ", r0, r11")                                                          \
    S("asr " sum ", " sum ", r4")                                                                  \
    S("ssat " sum ", #8, " sum)                                                                    \
    S("strb " sum ", " place)

/* Stack: 0 columns, 4 turns, 8 end of biases, 12 address of the first turn's
 * beginning, 16 end of multipliers, 20 end of shifts, 24 2 * y_zp + 1, 28 y + n_out, 32 y_step. Aligned for ADR. */
__attribute__((naked, aligned(4))) void
bp_conv_block_s8_armv7em(int8_t *y __attribute__((unused)), int32_t y_step __attribute__((unused)),
                      const int8_t *columns __attribute__((unused)),
                      const bp_dense_s8_t *p __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r4-r11, lr}")
            S("sub sp, sp, #36")
            S("ldrh r4, [r3, #18]") /* n_out */
            S("ldrh r5, [r3, #20]") /* row_stride */
            S("ldr r6, [r3, #4]")
            S("add r6, r6, r4, lsl #2")
            S("ldrd r8, r9, [r3, #8]")
            S("add r8, r8, r4, lsl #2")
            S("add r9, r9, r4")
            S("ldrsb r10, [r3, #23]") /* y_zp */
            S("lsl r10, r10, #1")
            S("add r10, r10, #1")
            S("add r0, r0, r4")
            /* A turn is 4 words of a row; the first begins so that the last ends with the row. */
            S("lsr r5, r5, #2")
            S("rsb r11, r5, #0")
            S("and r11, r11, #3")
            S("add r5, r5, #3")
            S("lsr r5, r5, #2")
            S("adr.w r7, 1f")
            S("adr.w r12, 2f")
            S("sub r12, r12, r7")
            S("mla r7, r11, r12, r7")
            S("add r7, r7, #1") /* Thumb */
            S("strd r2, r5, [sp]")
            S("strd r6, r7, [sp, #8]")
            S("strd r8, r9, [sp, #16]")
            S("strd r10, r0, [sp, #24]")
            S("str r1, [sp, #32]")
            S("ldr r1, [r3]")
            S("rsb r2, r4, #0")
            "5:\n\t"
            S("ldrd r0, lr, [sp]")
            S("ldrd r3, r12, [sp, #8]")
            S("ldr r7, [r3, r2, lsl #2]")
            S("mov r8, r7")
            S("mov r9, r7")
            S("mov r10, r7")
            S("bx r12")
            "1:\n\t"
            FOUR_PRODUCTS
            "2:\n\t"
            FOUR_PRODUCTS FOUR_PRODUCTS FOUR_PRODUCTS
            S("subs lr, lr, #1")
            S("bne 1b")
            S("ldrd r11, r12, [sp, #16]")
            S("ldr r0, [r11, r2, lsl #2]")
            S("ldrsb r4, [r12, r2]")
            S("ldrd r3, r5, [sp, #24]")
            S("ldr r6, [sp, #32]")
            S("mvn r12, r4") /* right shift - 1 */
            S("lsl r3, r3, r12")
            S("rsb r4, r4, #0")
            S("add r5, r5, r2")
            OUTPUT("r7", "[r5]")
            OUTPUT("r8", "[r5, r6]")
            OUTPUT("r9", "[r5, r6, lsl #1]")
            S("add r5, r5, r6")
            OUTPUT("r10", "[r5, r6, lsl #1]")
            S("adds r2, r2, #1")
            S("bne 5b")
            S("add sp, sp, #36")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}
#endif
