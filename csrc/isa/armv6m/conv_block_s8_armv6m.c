/* bp_conv_block_s8 for Cortex-M0, M0+ and M23: 37 instructions for 16 products. Two pixels share a
 * register, so one multiplication makes two products; the columns and the arithmetic are those of
 * isa/lanes/lanes.h. Each weight is loaded once for 4 pixels.
 * In assembly because gcc 12 does not allocate registers this way. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_ARMV6M

#include "isa/lanes/lanes.h"

/* What a block needs; the assembly knows the offsets. */
typedef struct {
    const int8_t *columns; /* 0 */
    const uint8_t *row;    /* 4: of the next channel, and so are the others */
    uint32_t row_bytes;    /* 8: without the last two weights if these are `half` a word */
    int32_t sum_0;         /* 12: what a sum of both lanes begins with */
    const uint8_t *bias;   /* 16 */
    const uint8_t *mult;   /* 20 */
    const uint8_t *lshift; /* 24 */
    int32_t y_step_back;   /* 28 */
    int32_t least;         /* 32: sums up to here give -128 */
    int32_t large;         /* 36: above every sum */
    int8_t *y_end;         /* 40: behind the last pixel */
    int32_t two_y_zp_1;    /* 44: 2 * y_zp + 1 */
    uint32_t n_left;       /* 48: channels */
    uint32_t half;         /* 52: 1 or 0 */
} block_t;

/* Registers of the sums: r0 columns, r1 weights, lr their end; r4 .. r7 columns; r8, r9 sums of both
 * lanes of either pair, r10, r11 of its upper lane; r12 the offset of the lower lane. */
#define PRODUCTS(first_weight, last_weight)                                                        \
    "ldm r0!, {r4-r7}\n\t" first_weight "muls r4, r2, r4\n\t"                                      \
    "muls r5, r2, r5\n\t"                                                                          \
    "asrs r3, r3, #8\n\t" last_weight "adds r4, r4, r6\n\t"                                        \
    "adds r5, r5, r7\n\t"                                                                          \
    "add r4, r12\n\t"                                                                              \
    "add r5, r12\n\t"                                                                              \
    "add r8, r4\n\t"                                                                               \
    "add r9, r5\n\t"                                                                               \
    "asrs r4, r4, #16\n\t"                                                                         \
    "asrs r5, r5, #16\n\t"                                                                         \
    "add r10, r4\n\t"                                                                              \
    "add r11, r5\n\t"
/* Of the first half of the weights in r3. */
#define TWO_COLUMNS                                                                                \
    PRODUCTS("sxtb r2, r3\n\t", "sxtb r2, r3\n\tmuls r6, r2, r6\n\tmuls r7, r2, r7\n\t")
#define FOUR_COLUMNS                                                                               \
    "ldm r1!, {r3}\n\t" TWO_COLUMNS                                                                \
        PRODUCTS("asrs r3, r3, #8\n\tsxtb r2, r3\n\t", "muls r6, r3, r6\n\tmuls r7, r3, r7\n\t")

/* One output. With the sum a1 * 2^16 + a0, a0 signed, and the multiplier mh * 2^16 + ml,
 *   bp_mul_high_q31 = 2 * a1 * mh + ((a1 * ml + a0 * mh + (a0 * ml >> 16) + 2^14) >> 15),
 * and often a1 is 0. The shift by 15 leaves the rounding in the carry. The comparison does so with the
 * sign, and the register of the rounding is one less: + r3 for a negative sum, + r3 + 1 for others.
 * Registers: r1 ml, r2 mh, r3 rounding, r4 rshift; r8 step to the pixel before, r9 a number above
 * every sum, r10 a sum up to which outputs are -128, lr y. The next sum is on the stack. */
#define OUTPUT                                                                                     \
    "pop {r0}\n\t"                                                                                 \
    "movs r5, #128\n\t"                                                                            \
    "cmp r0, r10\n\t"                                                                              \
    "ble 12f\n\t"                                                                                  \
    "sxth r5, r0\n\t"                                                                              \
    "movs r7, r5\n\t"                                                                              \
    "muls r7, r1, r7\n\t"                                                                          \
    "asrs r7, r7, #16\n\t"                                                                         \
    "subs r6, r0, r5\n\t"                                                                          \
    "beq 10f\n\t"                                                                                  \
    "asrs r6, r6, #16\n\t"                                                                         \
    "muls r5, r2, r5\n\t"                                                                          \
    "adds r7, r7, r5\n\t"                                                                          \
    "movs r5, r6\n\t"                                                                              \
    "muls r5, r1, r5\n\t"                                                                          \
    "adds r7, r7, r5\n\t"                                                                          \
    "muls r6, r2, r6\n\t"                                                                          \
    "lsls r6, r6, #1\n\t"                                                                          \
    "b 11f\n"                                                                                      \
    "10:\n\t"                                                                                      \
    "muls r5, r2, r5\n\t"                                                                          \
    "adds r7, r7, r5\n"                                                                            \
    "11:\n\t"                                                                                      \
    "asrs r7, r7, #15\n\t"                                                                         \
    "adcs r7, r7, r6\n\t"                                                                          \
    "cmp r9, r0\n\t"                                                                               \
    "adcs r7, r7, r3\n\t"                                                                          \
    "asrs r7, r7, r4\n\t"                                                                          \
    "sxtb r5, r7\n\t"                                                                              \
    "cmp r5, r7\n\t"                                                                               \
    "beq 12f\n\t"                                                                                  \
    "asrs r7, r7, #31\n\t"                                                                         \
    "movs r5, #127\n\t"                                                                            \
    "eors r5, r5, r7\n"                                                                            \
    "12:\n\t"                                                                                      \
    "mov r6, lr\n\t"                                                                               \
    "strb r5, [r6]\n\t"                                                                            \
    "add lr, r8\n\t"

__attribute__((naked, noinline)) static void put_block(block_t *block __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r0, r4-r7}\n\t" /* [sp] block */
            "movs r4, #1\n\t"
            "lsls r4, r4, #15\n\t"
            "mov r12, r4\n\t"
            "ldr r7, [sp]\n"
            "1:\n\t" /* a channel */
            "ldm r7!, {r0-r3}\n\t"
            "mov r8, r3\n\t"
            "mov r9, r3\n\t"
            "movs r3, #0\n\t"
            "mov r10, r3\n\t"
            "mov r11, r3\n\t"
            "adds r3, r1, r2\n\t"
            "mov lr, r3\n\t"
            "lsls r2, r2, #29\n\t" /* an odd number of words? */
            "beq 2f\n\t"
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "beq 3f\n"
            "2:\n\t" /* 8 columns a turn */
            FOUR_COLUMNS
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "bne 2b\n"
            "3:\n\t"
            "ldr r7, [sp]\n\t"
            "ldr r2, [r7, #52]\n\t"
            "cmp r2, #0\n\t"
            "beq 4f\n\t"
            "ldm r1!, {r3}\n\t"
            TWO_COLUMNS
            "ldr r7, [sp]\n"
            "4:\n\t" /* r6, r5, r4, r0: the sums of the 4 pixels */
            "str r1, [r7, #4]\n\t"
            "mov r5, r10\n\t"
            "lsls r1, r5, #16\n\t"
            "mov r6, r8\n\t"
            "subs r6, r6, r1\n\t"
            "mov r0, r11\n\t"
            "lsls r1, r0, #16\n\t"
            "mov r4, r9\n\t"
            "subs r4, r4, r1\n\t"
            "adds r7, #16\n\t"
            "ldm r7!, {r1-r3}\n\t" /* bias, mult, lshift */
            "mov r8, r7\n\t"
            "ldm r1!, {r7}\n\t"
            "adds r6, r6, r7\n\t"
            "adds r5, r5, r7\n\t"
            "adds r4, r4, r7\n\t"
            "adds r0, r0, r7\n\t"
            "push {r0, r4-r6}\n\t"
            "ldm r2!, {r0}\n\t"
            "ldrb r4, [r3]\n\t"
            "adds r3, #1\n\t"
            "mov r7, r8\n\t"
            "subs r7, #12\n\t"
            "stm r7!, {r1-r3}\n\t"
            "ldm r7!, {r1-r3, r5, r6}\n\t" /* y_step_back, least, large, y_end, two_y_zp_1 */
            "mov r8, r1\n\t"
            "mov r10, r2\n\t"
            "mov r9, r3\n\t"
            "ldr r7, [r7]\n\t" /* n_left */
            "subs r5, r5, r7\n\t"
            "mov lr, r5\n\t"
            "rsbs r4, r4, #0\n\t" /* shifts take the lower 8 bits of their number */
            "subs r5, r4, #1\n\t"
            "lsls r6, r5\n\t"
            "subs r3, r6, #1\n\t"
            "uxth r1, r0\n\t"
            "lsrs r2, r0, #16\n\t"
            OUTPUT OUTPUT OUTPUT OUTPUT
            "ldr r7, [sp]\n\t"
            "ldr r5, [r7, #48]\n\t"
            "subs r5, #1\n\t"
            "str r5, [r7, #48]\n\t"
            "beq 5f\n\t"
            "b 1b\n"
            "5:\n\t"
            "pop {r0, r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}

void bp_conv_block_s8_armv6m(int8_t *y, int32_t y_step, const int8_t *columns,
                             const bp_dense_s8_t *p) {
    const uint32_t rest = p->n_in % 4;
    const uint32_t half = (rest == 1 || rest == 2) && p->row_stride > 4;
    const uint32_t row_bytes = p->row_stride - 4 * half;
    block_t block = {
        .columns = columns,
        .row = p->weights,
        .row_bytes = row_bytes,
        .sum_0 = bp_lanes_begin(row_bytes + 2 * half),
        .bias = p->bias,
        .mult = p->mult_q31,
        .lshift = p->lshift,
        .y_step_back = -y_step,
        .least = p->y_zp == INT8_MIN ? 0 : INT32_MIN,
        .large = (int32_t)1 << 30,
        .y_end = y + (BP_LANES_PIXELS - 1) * y_step + p->n_out,
        .two_y_zp_1 = 2 * p->y_zp + 1,
        .n_left = p->n_out,
        .half = half,
    };
    put_block(&block);
}
#endif
