/* bp_dot_row_s8 and bp_dot_rows_s8 for AVR with a multiplier: 11 cycles for a product, in a sum of
 * 24 bits. One row after the other, because there are pointer registers for x and one row only. */
#include "isa/isa.h"

#ifdef BP_ISA_AVR
#include <byteprop/config.h>

#if defined(__AVR_HAVE_ELPM__) && !BP_ROM_IS_RAM
#define LOADS_FAR 1
#else
#define LOADS_FAR 0
#endif

/* A multiple of 8 whose sum fits 24 bits: 504 * 128 * 128 < 2^23. */
enum { MAX_COLUMNS = 504 };

#if BP_ROM_IS_RAM
#define LOAD_WEIGHT "ld %[w], Z+\n\t"
#elif LOADS_FAR
#define LOAD_WEIGHT "elpm %[w], Z+\n\t" /* RAMPZ counts too */
#else
#define LOAD_WEIGHT "lpm %[w], Z+\n\t"
#endif
#define MULTIPLY "ld %[x], X+\n\t" LOAD_WEIGHT "muls %[w], %[x]\n\t"
#define COLUMN                                                                                     \
    MULTIPLY                                                                                       \
    "add %A[sum], r0\n\t"                                                                          \
    "adc %B[sum], r1\n\t"                                                                          \
    "adc %C[sum], %[zero]\n\t"                                                                     \
    "sbrc r1, 7\n\t"                                                                               \
    "dec %C[sum]\n\t"
/* Two products are added before their sign is taken. It is that of the true sum, also where that
 * is 2^15, which 16 bits cannot hold. */
#define TWO_COLUMNS                                                                                \
    MULTIPLY                                                                                       \
    "movw %[product], r0\n\t" MULTIPLY "add r0, %A[product]\n\t"                                   \
    "adc r1, %B[product]\n\t"                                                                      \
    "brge 5f\n\t"                                                                                  \
    "dec %C[sum]\n"                                                                                \
    "5:\n\t"                                                                                       \
    "add %A[sum], r0\n\t"                                                                          \
    "adc %B[sum], r1\n\t"                                                                          \
    "adc %C[sum], %[zero]\n\t"

/* n: 1 .. MAX_COLUMNS. */
static __attribute__((noinline)) int32_t dot_columns(const int8_t *x, const uint8_t *row,
                                                     uint16_t n) {
    uint8_t eights = (uint8_t)(n / 8);
    uint8_t ones = (uint8_t)(n % 8);
    uint32_t sum = 0;
    int8_t x_byte;
    int8_t w_byte;
    uint16_t product;
#if LOADS_FAR
    RAMPZ = (uint8_t)(bp_rom_far(row) >> 16);
#endif
    /* clang-format off */
    __asm__ volatile("tst %[eights]\n\t"
                     "breq 2f\n"
                     "1:\n\t" TWO_COLUMNS TWO_COLUMNS TWO_COLUMNS TWO_COLUMNS
                     "dec %[eights]\n\t"
                     "brne 1b\n"
                     "2:\n\t"
                     "tst %[ones]\n\t"
                     "breq 4f\n"
                     "3:\n\t" COLUMN
                     "dec %[ones]\n\t"
                     "brne 3b\n"
                     "4:\n\t"
                     "clr r1\n\t"
                     : [sum] "+r"(sum), "+x"(x), "+z"(row), [eights] "+r"(eights),
                       [ones] "+r"(ones), [x] "=&d"(x_byte), [w] "=&d"(w_byte),
                       [product] "=&r"(product)
                     : [zero] "r"((uint8_t)0)
                     : "r0", "cc", "memory");
    /* clang-format on */
    return (int32_t)(sum << 8) >> 8;
}

int32_t bp_dot_row_s8_avr(const int8_t *x, const uint8_t *row, uint16_t n_in) {
    int32_t acc = 0;
    for (; n_in > MAX_COLUMNS; n_in = (uint16_t)(n_in - MAX_COLUMNS)) {
        acc += dot_columns(x, row, MAX_COLUMNS);
        x += MAX_COLUMNS;
        row += MAX_COLUMNS;
    }
    return acc + dot_columns(x, row, n_in);
}

void bp_dot_rows_s8_avr(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                        uint16_t n_in) {
    for (uint8_t r = 0; r < 4; ++r) {
        acc[r] = bp_dot_row_s8_avr(x, weights, n_in);
        weights += row_stride;
    }
}
#endif
