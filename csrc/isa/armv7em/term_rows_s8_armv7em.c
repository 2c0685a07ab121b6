/* Rows weighed and summed up, for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: the sums
 * of 8 columns stay in registers over all terms, 18 instructions for 8 products; without factors those of
 * 16 columns, two in a register, 16 instructions. Of 3 x 3 taps, 23 instructions for 9 products. In assembly because gcc 12 does not find these registers. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV7EM

#define S(instruction) instruction "\n\t"

/* The terms begin with where the row is, then the factor. */
typedef char bp_armv7em_term[sizeof(bp_term_t) == 8 && offsetof(bp_term_t, factor) == 4 ? 1 : -1];

enum { WEIGHED = 8, SUMMED = 16 };

/* Four products: r11 factor, `word` the values, which are lost. */
#define FOUR_PRODUCTS(word, a, b, c, d)                                                            \
    S("sxtb16 lr, " word)                                                                          \
    S("sxtb16 " word ", " word ", ror #8")                                                         \
    S("smlabb " a ", lr, r11, " a)                                                                 \
    S("smlabb " b ", " word ", r11, " b)                                                           \
    S("smlatb " c ", lr, r11, " c)                                                                 \
    S("smlatb " d ", " word ", r11, " d)

/* Registers: r0 .. r7 sums, r8 terms, r9 column, r10 row and its second word, r11 factor, r12 first word.
 * Stack: 0 sums, 4 terms, 8 columns behind the last. */
static __attribute__((naked, noinline)) void weigh_blocks(int32_t *sums __attribute__((unused)),
                                                          const bp_term_t *terms __attribute__((unused)),
                                                          uint32_t n __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r0-r2, r4-r11, lr}")
            S("mov r9, #0")
            "1:\n\t"
            S("ldrd r12, r8, [sp]")
            S("add r12, r12, r9, lsl #2")
            S("ldm r12, {r0-r7}")
            S("ldrd r10, r11, [r8], #8")
            S("cmp r10, #0")
            S("beq 3f")
            "2:\n\t"
            S("add r10, r10, r9")
            S("ldr r12, [r10]")
            S("ldr r10, [r10, #4]")
            FOUR_PRODUCTS("r12", "r0", "r1", "r2", "r3")
            FOUR_PRODUCTS("r10", "r4", "r5", "r6", "r7")
            S("ldrd r10, r11, [r8], #8")
            S("cmp r10, #0")
            S("bne 2b")
            "3:\n\t"
            S("ldr r12, [sp]")
            S("ldr lr, [sp, #8]")
            S("add r12, r12, r9, lsl #2")
            S("stm r12, {r0-r7}")
            S("add r9, r9, #8")
            S("cmp r9, lr")
            S("bne 1b")
            S("add sp, sp, #12")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}

/* Adds the halves of a register to two sums, two columns apart. */
#define ADD_HALVES(pair, low, high)                                                                \
    S("ldr r10, [r12, #" low "]")                                                                  \
    S("ldr r11, [r12, #" high "]")                                                                 \
    S("sxtah r10, r10, " pair)                                                                     \
    S("add r11, r11, " pair ", asr #16")                                                           \
    S("str r10, [r12, #" low "]")                                                                  \
    S("str r11, [r12, #" high "]")

/* Registers: r0 .. r7 pairs of sums, r8 rows, r9 column, r10 row and its last word, r11, r12, lr words. Stack as
 * above. A sum of BP_SUMMED_ROWS values has 14 bits. */
static __attribute__((naked, noinline)) void sum_blocks(int32_t *sums __attribute__((unused)),
                                                        const int8_t *const *rows __attribute__((unused)),
                                                        uint32_t n __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r0-r2, r4-r11, lr}")
            S("mov r9, #0")
            "1:\n\t"
            S("ldr r8, [sp, #4]")
            S("mov r0, #0")
            S("mov r1, #0")
            S("mov r2, #0")
            S("mov r3, #0")
            S("mov r4, #0")
            S("mov r5, #0")
            S("mov r6, #0")
            S("mov r7, #0")
            S("ldr r10, [r8], #4")
            S("cmp r10, #0")
            S("beq 3f")
            "2:\n\t"
            S("add r10, r10, r9")
            S("ldr r11, [r10]")
            S("ldr r12, [r10, #4]")
            S("ldr lr, [r10, #8]")
            S("ldr r10, [r10, #12]")
            S("sxtab16 r0, r0, r11")
            S("sxtab16 r1, r1, r11, ror #8")
            S("sxtab16 r2, r2, r12")
            S("sxtab16 r3, r3, r12, ror #8")
            S("sxtab16 r4, r4, lr")
            S("sxtab16 r5, r5, lr, ror #8")
            S("sxtab16 r6, r6, r10")
            S("sxtab16 r7, r7, r10, ror #8")
            S("ldr r10, [r8], #4")
            S("cmp r10, #0")
            S("bne 2b")
            "3:\n\t"
            S("ldr r12, [sp]")
            S("ldr lr, [sp, #8]")
            S("add r12, r12, r9, lsl #2")
            ADD_HALVES("r0", "0", "8")
            ADD_HALVES("r1", "4", "12")
            ADD_HALVES("r2", "16", "24")
            ADD_HALVES("r3", "20", "28")
            ADD_HALVES("r4", "32", "40")
            ADD_HALVES("r5", "36", "44")
            ADD_HALVES("r6", "48", "56")
            ADD_HALVES("r7", "52", "60")
            S("add r9, r9, #16")
            S("cmp r9, lr")
            S("bne 1b")
            S("add sp, sp, #12")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}

/* Three products: r10 row, r11 factor. */
#define THREE_PRODUCTS(a, b, c)                                                                    \
    S("ldrsb r12, [r10]")                                                                          \
    S("smlabb " a ", r12, r11, " a)                                                                \
    S("ldrsb r12, [r10, #1]")                                                                      \
    S("smlabb " b ", r12, r11, " b)                                                                \
    S("ldrsb r12, [r10, #2]")                                                                      \
    S("smlabb " c ", r12, r11, " c)

/* Registers: r0 .. r8 sums, r9 terms, r10 row, r11 factor, r12 value, lr pitch. */
__attribute__((naked)) void bp_weigh_taps_s8_armv7em(int32_t *sums __attribute__((unused)),
                                                     const bp_term_t *terms __attribute__((unused)),
                                                     uint32_t pitch __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            S("push {r0, r4-r11, lr}")
            S("mov r9, r1")
            S("mov lr, r2")
            S("ldm r0, {r0-r8}")
            S("ldrd r10, r11, [r9], #8")
            S("cmp r10, #0")
            S("beq 3f")
            "2:\n\t"
            THREE_PRODUCTS("r0", "r1", "r2")
            S("add r10, r10, lr")
            THREE_PRODUCTS("r3", "r4", "r5")
            S("add r10, r10, lr")
            THREE_PRODUCTS("r6", "r7", "r8")
            S("ldrd r10, r11, [r9], #8")
            S("cmp r10, #0")
            S("bne 2b")
            "3:\n\t"
            S("pop {r9}")
            S("stm r9, {r0-r8}")
            S("pop {r4-r11, pc}"));
    /* clang-format on */
}

void bp_weigh_rows_s8_armv7em(int32_t *sums, const bp_term_t *terms, uint32_t n) {
    uint32_t at = n & ~(uint32_t)(WEIGHED - 1);
    if (at != 0) {
        weigh_blocks(sums, terms, at);
    }
    for (; at < n; ++at) {
        bp_weigh_column(sums + (size_t)at, terms, at);
    }
}

void bp_sum_rows_s8_armv7em(int32_t *sums, const int8_t *const *rows, uint32_t n) {
    uint32_t at = n & ~(uint32_t)(SUMMED - 1);
    if (at != 0) {
        sum_blocks(sums, rows, at);
    }
    for (; at < n; ++at) {
        bp_sum_column(sums + (size_t)at, rows, at);
    }
}
#endif
