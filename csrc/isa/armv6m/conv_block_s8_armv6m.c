/* bp_conv_block_s8 for Cortex-M0, M0+ and M23: 37 instructions for 16 products, 32 where weights are
 * small. Two pixels share a register, so one multiplication makes two products; the columns and the
 * arithmetic are those of isa/lanes/lanes.h. Each weight is loaded once for 4 pixels.
 * In assembly because gcc 12 does not allocate registers this way. */
#include "isa/isa.h"
#include <byteprop/config.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef BP_ISA_ARMV6M

#include "isa/lanes/lanes.h"

/* Registers of the sums: r0 columns, r1 weights, lr their end; r4 .. r7 columns; r8, r9 sums of both
 * lanes of either pair, r10, r11 of its upper lane; r12 the offset of the lower lane. */
#define MULTIPLY(a, b, weight) "muls " a ", " weight ", " a "\n\tmuls " b ", " weight ", " b "\n\t"
#define ADD_UP "adds r4, r4, r6\n\tadds r5, r5, r7\n\t"
#define NEXT_WEIGHT "asrs r3, r3, #8\n\tsxtb r2, r3\n\t"
/* The sums in r4 and r5: `put` into r10 and r11, the upper lanes'. */
#define SEPARATE(put)                                                                              \
    "add r4, r12\n\t"                                                                              \
    "add r5, r12\n\t"                                                                              \
    "add r8, r4\n\t"                                                                               \
    "add r9, r5\n\t"                                                                               \
    "asrs r4, r4, #16\n\t"                                                                         \
    "asrs r5, r5, #16\n\t" put " r10, r4\n\t" put " r11, r5\n\t"
/* Of the first weights in r3. */
#define ONE_COLUMN "ldm r0!, {r4, r5}\n\tsxtb r2, r3\n\t" MULTIPLY("r4", "r5", "r2") SEPARATE("add")
#define TWO_PRODUCTS                                                                               \
    "ldm r0!, {r4-r7}\n\tsxtb r2, r3\n\t" MULTIPLY("r4", "r5", "r2")                               \
        NEXT_WEIGHT MULTIPLY("r6", "r7", "r2") ADD_UP
#define TWO_COLUMNS TWO_PRODUCTS SEPARATE("add")
#define FOUR_COLUMNS                                                                               \
    "ldm r1!, {r3}\n\t" TWO_COLUMNS "ldm r0!, {r4-r7}\n\t" NEXT_WEIGHT MULTIPLY("r4", "r5", "r2")   \
        "asrs r3, r3, #8\n\t" MULTIPLY("r6", "r7", "r3") ADD_UP SEPARATE("add")
/* The same for weights whose sums of products fit a lane. */
#define FOUR_SMALL(put)                                                                            \
    "ldm r1!, {r3}\n\t" TWO_PRODUCTS "ldm r0!, {r6, r7}\n\t" NEXT_WEIGHT                           \
    MULTIPLY("r6", "r7", "r2") ADD_UP "ldm r0!, {r6, r7}\n\tasrs r3, r3, #8\n\t"                   \
    MULTIPLY("r6", "r7", "r3") ADD_UP SEPARATE(put)

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

/* What the stack has, from sp on; row, bias, mult and lshift of the next channel:
 *   0 columns      12 sum_0, what a sum of both    24 lshift         36 large, above every sum
 *   4 row             lanes begins with            28 -y_step        40 y, behind the last pixel
 *   8 row_kind     16 bias                         32 least: sums    44 2 * y_zp + 1
 *                  20 mult                            up to it give  48 channels left
 *                                                     -128           52 rest
 * row_kind: 2 * bytes of a row without its last `rest` weights, + 1 if weights are small. */
enum {
    SMALL = 2,        /* of a kind */
    REST = 4,         /* of a kind, times weights */
    MOST_SMALL = 255 /* the sizes of 4 weights, so that |sum| <= 255 * 128 < 2^15 */
};
typedef char bp_armv6m_offsets[offsetof(bp_dense_s8_t, weights) == 0 &&
                                       offsetof(bp_dense_s8_t, bias) == 4 &&
                                       offsetof(bp_dense_s8_t, mult_q31) == 8 &&
                                       offsetof(bp_dense_s8_t, lshift) == 12 &&
                                       offsetof(bp_dense_s8_t, n_out) == 18 &&
                                       offsetof(bp_dense_s8_t, row_stride) == 20 &&
                                       offsetof(bp_dense_s8_t, y_zp) == 23 &&
                                       offsetof(bp_dense_s8_t, fast) == 26
                                   ? 1
                                   : -1];

static bool are_small(const uint8_t *weights, uint32_t bytes) {
    const uint32_t halves = 0x00FF00FF;
    for (const uint8_t *end = weights + (size_t)bytes; weights != end; weights += 4) {
        uint32_t four = (uint32_t)BP_ROM_I32(weights);
        const uint32_t signs = four >> 7 & 0x01010101;
        four = (four ^ signs * 255) + signs;
        four = (four & halves) + (four >> 8 & halves);
        if ((uint16_t)(four + (four >> 16)) > MOST_SMALL) {
            return false;
        }
    }
    return true;
}

/* The last 1 or 2 weights of a row have a word of their own, unless it is the only one. */
uint8_t bp_conv_kind_armv6m(const bp_dense_s8_t *p, uint32_t rows) {
    const uint32_t pad = (uint32_t)p->row_stride - p->n_in;
    const uint32_t rest = pad >= 2 && p->row_stride > 4 ? 4 - pad : 0;
    const bool small = are_small(p->weights, rows * p->row_stride);
    return (uint8_t)(1 + REST * rest + (small ? SMALL : 0));
}

__attribute__((naked)) void bp_conv_block_s8_armv6m(int8_t *y __attribute__((unused)),
                                                    int32_t y_step __attribute__((unused)),
                                                    const int8_t *columns __attribute__((unused)),
                                                    const bp_dense_s8_t *p __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r4-r7}\n\t"
            "sub sp, #56\n\t"
            "str r2, [sp]\n\t"
            "rsbs r4, r1, #0\n\t"
            "str r4, [sp, #28]\n\t"
            "ldrh r5, [r3, #18]\n\t" /* n_out */
            "str r5, [sp, #48]\n\t"
            "adds r0, r0, r5\n\t"
            "lsls r4, r1, #1\n\t"
            "adds r4, r4, r1\n\t"
            "adds r0, r0, r4\n\t"
            "str r0, [sp, #40]\n\t"
            "movs r4, #1\n\t"
            "lsls r0, r4, #30\n\t"
            "str r0, [sp, #36]\n\t"
            "lsls r0, r4, #15\n\t"
            "mov r12, r0\n\t"
            "movs r5, #23\n\t"
            "ldrsb r5, [r3, r5]\n\t" /* y_zp */
            "lsls r0, r5, #1\n\t"
            "adds r0, #1\n\t"
            "str r0, [sp, #44]\n\t"
            "adds r5, #128\n\t" /* least: 0 for -128, or else INT32_MIN */
            "rsbs r0, r5, #0\n\t"
            "asrs r0, r0, #31\n\t"
            "lsls r0, r0, #31\n\t"
            "str r0, [sp, #32]\n\t"
            "ldrb r6, [r3, #26]\n\t" /* fast, the kind */
            "ldrh r7, [r3, #20]\n\t" /* row_stride */
            "lsrs r5, r6, #2\n\t"
            "str r5, [sp, #52]\n\t"
            "beq 0f\n\t"
            "subs r7, #4\n\t"
            "movs r5, #1\n"
            "0:\n\t"
            "lsls r6, r6, #30\n\t"
            "lsrs r6, r6, #31\n\t"
            "lsls r0, r7, #1\n\t"
            "adds r0, r0, r6\n\t"
            "str r0, [sp, #8]\n\t"
            "adds r6, #1\n\t"
            "lsrs r7, r6\n\t" /* sums of 2 or 4 weights */
            "adds r7, r7, r5\n\t"
            "lsls r7, r7, #15\n\t"
            "rsbs r7, r7, #0\n\t"
            "str r7, [sp, #12]\n\t"
            "ldm r3!, {r4-r7}\n\t" /* weights, bias, mult_q31, lshift */
            "str r4, [sp, #4]\n\t"
            "str r5, [sp, #16]\n\t"
            "str r6, [sp, #20]\n\t"
            "str r7, [sp, #24]\n"
            "1:\n\t" /* a channel */
            "mov r7, sp\n\t"
            "ldm r7!, {r0-r3}\n\t"
            "mov r8, r3\n\t"
            "mov r9, r3\n\t"
            "lsrs r2, r2, #1\n\t"
            "mov lr, r1\n\t"
            "add lr, r2\n\t"
            "bcs 3f\n\t"
            "movs r3, #0\n\t"
            "mov r10, r3\n\t"
            "mov r11, r3\n\t"
            "lsls r2, r2, #29\n\t" /* an odd number of words? */
            "beq 5f\n\t"
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "bne 5f\n\t"
            "b 6f\n"
            "5:\n\t" /* 8 columns a turn */
            FOUR_COLUMNS
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "bne 5b\n\t"
            "b 6f\n"
            "3:\n\t"
            FOUR_SMALL("mov")
            "cmp r1, lr\n\t"
            "beq 6f\n"
            "2:\n\t"
            FOUR_SMALL("add")
            "cmp r1, lr\n\t"
            "bne 2b\n"
            "6:\n\t"
            "ldr r2, [sp, #52]\n\t"
            "cmp r2, #1\n\t"
            "blo 8f\n\t"
            "ldm r1!, {r3}\n\t"
            "beq 0f\n\t"
            "b 7f\n"
            "0:\n\t"
            ONE_COLUMN
            "8:\n\t"
            "str r1, [sp, #4]\n\t"
            "add r7, sp, #16\n\t"
            "ldm r7!, {r1-r3}\n\t" /* bias, mult, lshift: r4, r0, r5 */
            "ldm r1!, {r4}\n\t"
            "ldm r2!, {r0}\n\t"
            "ldrb r5, [r3]\n\t"
            "adds r3, #1\n\t"
            "subs r7, #12\n\t"
            "stm r7!, {r1-r3}\n\t"
            "mov r1, r11\n\t" /* r6, r3, r2, r1: the sums of the 4 pixels */
            "lsls r6, r1, #16\n\t"
            "mov r2, r9\n\t"
            "subs r2, r2, r6\n\t"
            "adds r1, r1, r4\n\t"
            "adds r2, r2, r4\n\t"
            "mov r3, r10\n\t"
            "lsls r6, r3, #16\n\t"
            "rsbs r6, r6, #0\n\t"
            "add r6, r8\n\t"
            "adds r3, r3, r4\n\t"
            "adds r6, r6, r4\n\t"
            "push {r1-r3, r6}\n\t"
            "ldm r7!, {r1-r4, r6}\n\t" /* y_step_back, least, large, y_end, two_y_zp_1 */
            "mov r8, r1\n\t"
            "mov r10, r2\n\t"
            "mov r9, r3\n\t"
            "ldr r7, [r7]\n\t" /* channels_left */
            "subs r4, r4, r7\n\t"
            "mov lr, r4\n\t"
            "rsbs r4, r5, #0\n\t" /* shifts take the lower 8 bits of their number */
            "subs r5, r4, #1\n\t"
            "lsls r6, r5\n\t"
            "subs r3, r6, #1\n\t"
            "uxth r1, r0\n\t"
            "lsrs r2, r0, #16\n\t"
            OUTPUT OUTPUT OUTPUT OUTPUT
            "ldr r5, [sp, #48]\n\t"
            "subs r5, #1\n\t"
            "str r5, [sp, #48]\n\t"
            "beq 9f\n\t"
            "b 1b\n"
            "9:\n\t"
            "add sp, #56\n\t"
            "pop {r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r4-r7, pc}\n"
            "7:\n\t"
            TWO_COLUMNS
            "b 8b\n\t");
    /* clang-format on */
}

#endif
