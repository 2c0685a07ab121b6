/* bp_halfword_rows_s8 for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: 14 instructions
 * for 16 products, because one extension of a word of weights serves four of them and the inputs are
 * widened once for all rows.
 * In assembly because gcc 12 runs out of registers. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_ARMV7EM

/* A word of x as two words of columns: 127 - x is x with its lower 7 bits inverted, as an unsigned
 * byte. */
#define WIDEN(word, odd, even)                                                                     \
    "sxtb16 " odd ", " word ", ror #8\n\t"                                                         \
    "eor " even ", " word ", #0x7F007F00\n\t"                                                      \
    "rev16 " even ", " even "\n\t"
#define WIDEN_FOUR "ldr r3, [%1], #4\n\t" WIDEN("r3", "r2", "r3") "strd r2, r3, [%0], #8\n\t"

void bp_halfword_columns_s8_armv7em(uint32_t *columns, const int8_t *x, uint16_t n) {
    for (uint32_t turns = n / 16u; turns != 0; --turns) {
        __asm__ volatile(WIDEN_FOUR WIDEN_FOUR WIDEN_FOUR WIDEN_FOUR
                         : "+r"(columns), "+r"(x)
                         :
                         : "r2", "r3", "memory");
    }
    for (uint32_t turns = n % 16u / 4; turns != 0; --turns) {
        __asm__ volatile(WIDEN_FOUR : "+r"(columns), "+r"(x) : : "r2", "r3", "memory");
    }
    if (n % 4 != 0) { /* the others of the word meet weights of 0 */
        uint32_t word = (uint8_t)x[0];
        word |= n % 4 > 1 ? (uint32_t)(uint8_t)x[1] << 8 : 0;
        word |= n % 4 > 2 ? (uint32_t)(uint8_t)x[2] << 16 : 0;
        __asm__(WIDEN("%2", "%0", "%1") : "=&r"(columns[0]), "=&r"(columns[1]) : "r"(word));
    }
}

/* One row, and then the next one of a block. */
#define ROW(sum, weights)                                                                          \
    "smlad " sum ", " weights ", r2, " sum "\n\t"                                                  \
    "sxtb16 " weights ", " weights "\n\t"                                                          \
    "smlad " sum ", " weights ", r3, " sum "\n\t"
#define FOUR_COLUMNS                                                                               \
    "ldrd r2, r3, [r12], #8\n\t"                                                                   \
    "ldm r1!, {r8-r11}\n\t" ROW("r4", "r8") ROW("r5", "r9") ROW("r6", "r10") ROW("r7", "r11")

/* Adds the products of n_blocks > 0 blocks of 4 rows with 4 * n_words columns to 256 * acc.
 * skip_bytes: from the end of these columns in one block to their begin in the next.
 * Registers: r0 sums, r1 weights, r12 columns, lr words left, r2, r3 x, r4 .. r7 sums,
 * r8 .. r11 weights. */
__attribute__((naked, noinline)) static void
add_blocks(int32_t *acc __attribute__((unused)), const uint8_t *weights __attribute__((unused)),
           const uint32_t *columns __attribute__((unused)),
           uint32_t n_words __attribute__((unused)), uint32_t n_blocks __attribute__((unused)),
           uint32_t skip_bytes __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r2-r11, lr}\n" /* [sp] columns, [sp, #4] n_words, [sp, #44] n_blocks */
            "1:\n\t" /* a block */
            "ldrd r12, lr, [sp]\n\t"
            "ldm r0, {r4-r7}\n\t"
            "subs lr, lr, #8\n\t"
            "blo 3f\n"
            "2:\n\t" /* 32 columns a turn */
            FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS
            FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS
            "subs lr, lr, #8\n\t"
            "bhs 2b\n"
            "3:\n\t"
            "adds lr, lr, #8\n\t"
            "beq 5f\n"
            "4:\n\t" /* 4 columns a turn */
            FOUR_COLUMNS
            "subs lr, lr, #1\n\t"
            "bne 4b\n"
            "5:\n\t"
            "stm r0!, {r4-r7}\n\t"
            "ldrd r2, r3, [sp, #44]\n\t"
            "add r1, r1, r3\n\t"
            "subs r2, r2, #1\n\t"
            "str r2, [sp, #44]\n\t"
            "bne 1b\n\t"
            "pop {r2-r11, pc}\n\t");
    /* clang-format on */
}

/* The same for one row. */
static int32_t add_row(int32_t sum, const uint8_t *row, const uint32_t *columns, uint32_t n_words) {
    for (; n_words != 0; --n_words, row += 4, columns += 2) {
        uint32_t word = (uint32_t)BP_ROM_I32(row);
        __asm__("smlad %0, %1, %2, %0\n\t"
                "sxtb16 %1, %1\n\t"
                "smlad %0, %1, %3, %0\n\t"
                : "+r"(sum), "+r"(word)
                : "r"(columns[0]), "r"(columns[1]));
    }
    return sum;
}

void bp_halfword_rows_s8_armv7em(int32_t *acc, const uint32_t *columns, const uint8_t *weights,
                                 const bp_halfwords_t *h) {
    const uint32_t n_words = (h->n + 3u) / 4, n_blocks = h->n_rows / BP_HALFWORD_ROWS;
    if (n_blocks != 0) {
        add_blocks(acc, weights + (size_t)(BP_HALFWORD_ROWS * h->begin), columns, n_words, n_blocks,
                   BP_HALFWORD_ROWS * (h->row_stride - 4 * n_words));
    }
    for (uint32_t j = BP_HALFWORD_ROWS * n_blocks; j < h->n_rows; ++j) {
        acc[j] = add_row(acc[j], weights + (size_t)(j * h->row_stride + h->begin), columns, n_words);
    }
}
#endif
