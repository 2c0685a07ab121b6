/* A convolution's block for Cortex-M3 and other Thumb-2 cores without the DSP extension: 4 pixels, one
 * output channel at a time; 11 instructions for 8 products. Two pixels are in one word, x0 + 2^16 * x1,
 * so that one multiplication makes two products. The sum s of two of them and 2^15 has the lower
 * pixel's in 16 bits without a sign, because |2 * 127 * 128| < 2^15; so s >> 16 is exactly the upper
 * pixel's. Both s and s >> 16 are added up, and the lower pixel's sum is what the first has more than
 * 2^16 times the second. Columns: for every input a word of pixels 0 and 1, then one of 2 and 3.
 * In assembly because gcc 12 does not find these registers. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV7M

#define S(instruction) instruction "\n\t"

/* ---- columns ---- */

/* Registers: r0 columns, r1 .. r4 pixels. */
#define ONE_INPUT                                                                                  \
    S("ldrsb r9, [r1], #1")                                                                        \
    S("ldrsb r10, [r2], #1")                                                                       \
    S("ldrsb r11, [r3], #1")                                                                       \
    S("ldrsb r12, [r4], #1")                                                                       \
    S("add r9, r9, r10, lsl #16")                                                                  \
    S("add r11, r11, r12, lsl #16")                                                                \
    S("strd r9, r11, [r0], #8")

__attribute__((naked)) void
bp_conv_columns_s8_armv7m(int8_t *columns __attribute__((unused)), uint32_t at __attribute__((unused)),
                       const int8_t *const *x __attribute__((unused)),
                       const bp_runs_t *runs __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r4-r11, lr}")
            S("add r0, r0, r1, lsl #3")
            S("ldm r3, {r5-r7}") /* n, count, pitch */
            S("sub r7, r7, r5")  /* gap from run to run */
            S("ldm r2, {r1-r4}")
            "1:\n\t" /* lr: inputs left, less 4 */
            S("subs lr, r5, #4")
            S("blo 3f")
            "2:\n\t"
            ONE_INPUT ONE_INPUT ONE_INPUT ONE_INPUT
            S("subs lr, lr, #4")
            S("bhs 2b")
            "3:\n\t"
            S("adds lr, lr, #4")
            S("beq 5f")
            "4:\n\t"
            ONE_INPUT
            S("subs lr, lr, #1")
            S("bne 4b")
            "5:\n\t"
            S("add r1, r1, r7")
            S("add r2, r2, r7")
            S("add r3, r3, r7")
            S("add r4, r4, r7")
            S("subs r6, r6, #1")
            S("bne 1b")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}

/* ---- outputs ---- */

/* The offsets that the assembly has of bp_dense_s8_t. */
typedef char bp_armv7m_offsets[offsetof(bp_dense_s8_t, weights) == 0 &&
                                       offsetof(bp_dense_s8_t, bias) == 4 &&
                                       offsetof(bp_dense_s8_t, mult_q31) == 8 &&
                                       offsetof(bp_dense_s8_t, lshift) == 12 &&
                                       offsetof(bp_dense_s8_t, n_out) == 18 &&
                                       offsetof(bp_dense_s8_t, row_stride) == 20 &&
                                       offsetof(bp_dense_s8_t, y_zp) == 23
                                   ? 1
                                   : -1];

/* Registers: r0 columns, r1 weights, r2 .. r5 two inputs of the pixels, r6, r7 two weights, r8 the sum
 * of their products, lr 2^15; sums of pixels 0 and 1 r9, r10, of pixels 2 and 3 r11, r12. */
#define TWO_PRODUCTS                                                                               \
    S("ldm r0!, {r2-r5}")                                                                          \
    S("ldrsb r6, [r1], #1")                                                                        \
    S("ldrsb r7, [r1], #1")                                                                        \
    S("mla r8, r6, r2, lr")                                                                        \
    S("mla r8, r7, r4, r8")                                                                        \
    S("add r9, r9, r8")                                                                            \
    S("add r10, r10, r8, asr #16")                                                                 \
    S("mla r8, r6, r3, lr")                                                                        \
    S("mla r8, r7, r5, r8")                                                                        \
    S("add r11, r11, r8")                                                                          \
    S("add r12, r12, r8, asr #16")
#define FOUR_PRODUCTS TWO_PRODUCTS TWO_PRODUCTS
/* bp_requant_short: the rounding and 2^31, added to twice the sum times the multiplier in 64 bits. r3
 * multiplier, r5 rounding, r4 right shift. */
#define OUTPUT(sum, place)                                                                         \
    S("add r8, r5, " sum ", asr #31")                                                              \
    S("lsl " sum ", " sum ", #1")                                                                  \
    S("mov r0, #0x80000000")                                                                       \
    S("smlal r0, r8, " sum ", r3")                                                                 \
    S("asr r8, r8, r4")                                                                            \
    S("ssat r8, #8, r8")                                                                           \
    S("strb r8, " place)

/* Stack: 0 end of columns, 4 columns, 8 address of the first turn's beginning, 12 channel, counting
 * -n_out .. -1, 16 end of multipliers, 20 end of shifts, 24 2 * y_zp + 1, 28 y + n_out, 32 y_step,
 * 36 2^15 for each two weights of a row, 40 end of biases. Aligned for ADR. */
__attribute__((naked, aligned(4))) void
bp_conv_block_s8_armv7m(int8_t *y __attribute__((unused)), int32_t y_step __attribute__((unused)),
                     const int8_t *columns __attribute__((unused)),
                     const bp_dense_s8_t *p __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r4-r11, lr}")
            S("sub sp, sp, #44")
            S("ldrh r4, [r3, #18]") /* n_out */
            S("ldrh r5, [r3, #20]") /* row_stride */
            S("ldr r6, [r3, #4]")
            S("add r6, r6, r4, lsl #2")
            S("lsl r12, r5, #14")
            S("strd r12, r6, [sp, #36]")
            S("ldrd r8, r9, [r3, #8]")
            S("add r8, r8, r4, lsl #2")
            S("add r9, r9, r4")
            S("strd r8, r9, [sp, #16]")
            S("ldrsb r10, [r3, #23]") /* y_zp */
            S("lsl r10, r10, #1")
            S("add r10, r10, #1")
            S("add r0, r0, r4")
            S("strd r10, r0, [sp, #24]")
            S("str r1, [sp, #32]")
            S("add r6, r2, r5, lsl #3")
            S("strd r6, r2, [sp]")
            /* A turn is 4 words of a row; the first begins so that the last ends with the row. */
            S("lsr r5, r5, #2")
            S("rsb r5, r5, #0")
            S("and r5, r5, #3")
            S("adr.w r6, 1f")
            S("adr.w r7, 2f")
            S("sub r7, r7, r6")
            S("mla r6, r5, r7, r6")
            S("add r6, r6, #1") /* Thumb */
            S("rsb r2, r4, #0")
            S("strd r6, r2, [sp, #8]")
            S("ldr r1, [r3]")
            "5:\n\t" /* r2: the channel */
            S("ldrd r4, r3, [sp, #36]")
            S("ldr r10, [r3, r2, lsl #2]")
            S("add r9, r10, r10, lsl #16")
            S("sub r9, r9, r4")
            S("mov r11, r9")
            S("mov r12, r10")
            S("ldrd r0, r5, [sp, #4]")
            S("mov lr, #0x8000")
            S("bx r5")
            "1:\n\t"
            FOUR_PRODUCTS
            "2:\n\t"
            FOUR_PRODUCTS FOUR_PRODUCTS FOUR_PRODUCTS
            S("ldr r6, [sp]")
            S("cmp r0, r6")
            S("bne 1b")
            S("sub r9, r9, r10, lsl #16")
            S("sub r11, r11, r12, lsl #16")
            S("ldr r2, [sp, #12]")
            S("ldrd r3, r4, [sp, #16]")
            S("ldr r3, [r3, r2, lsl #2]")
            S("ldrsb r4, [r4, r2]")
            S("ldrd r5, r6, [sp, #24]")
            S("ldr r7, [sp, #32]")
            S("mvn r0, r4") /* right shift - 1 */
            S("lsl r5, r5, r0")
            S("rsb r4, r4, #0")
            S("add r6, r6, r2")
            OUTPUT("r9", "[r6]")
            OUTPUT("r10", "[r6, r7]")
            OUTPUT("r11", "[r6, r7, lsl #1]")
            S("add r6, r6, r7")
            OUTPUT("r12", "[r6, r7, lsl #1]")
            S("adds r2, r2, #1")
            S("str r2, [sp, #12]")
            S("bne 5b")
            S("add sp, sp, #44")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}
#endif
