/* bp_conv_block_s8 for Cortex-M0, M0+ and M23: 37 instructions for 16 products, 32 where weights are
 * small. Two pixels share a register, so one multiplication makes two products; the columns and the
 * arithmetic are those of isa/lanes/lanes.h. Each weight is loaded once for 4 pixels.
 * In assembly because gcc 12 does not allocate registers this way. */
#include "isa/isa.h"
#include <byteprop/config.h>

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

/* Arguments are read and changed where the caller or "push" has put them; these are the offsets.
 * row_and_kind: 2 * bytes of a row without its last `rest` weights, 0 to 2, + 1 if weights are small.
 * sum_0: what a sum of both lanes begins with. row .. lshift are those of the next channel. Sums up to
 * `least` give -128; `large` is above every sum; y_end is behind the last pixel. */
__attribute__((naked, noinline)) static void
put_block(const int8_t *columns __attribute__((unused)),  /* 0 */
          const uint8_t *row __attribute__((unused)),     /* 4 */
          uint32_t row_and_kind __attribute__((unused)),  /* 8 */
          int32_t sum_0 __attribute__((unused)),          /* 12 */
          const uint8_t *bias __attribute__((unused)),    /* 52 */
          const uint8_t *mult __attribute__((unused)),    /* 56 */
          const uint8_t *lshift __attribute__((unused)),  /* 60 */
          int32_t y_step_back __attribute__((unused)),    /* 64 */
          int32_t least __attribute__((unused)),          /* 68 */
          int32_t large __attribute__((unused)),          /* 72 */
          int8_t *y_end __attribute__((unused)),          /* 76 */
          int32_t two_y_zp_1 __attribute__((unused)),     /* 80: 2 * y_zp + 1 */
          uint32_t channels_left __attribute__((unused)), /* 84 */
          uint32_t rest __attribute__((unused)) /* 88 */) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r4-r7}\n\t"
            "push {r0-r3}\n\t"
            "movs r4, #1\n\t"
            "lsls r4, r4, #15\n\t"
            "mov r12, r4\n"
            "1:\n\t" /* a channel */
            "mov r7, sp\n\t"
            "ldm r7!, {r0-r3}\n\t"
            "mov r8, r3\n\t"
            "mov r9, r3\n\t"
            "lsrs r2, r2, #1\n\t"
            "mov lr, r1\n\t"
            "add lr, r2\n\t"
            "bcc 4f\n\t"
            FOUR_SMALL("mov")
            "cmp r1, lr\n\t"
            "beq 3f\n"
            "2:\n\t"
            FOUR_SMALL("add")
            "cmp r1, lr\n\t"
            "bne 2b\n"
            "3:\n\t"
            "b 6f\n"
            "4:\n\t"
            "movs r3, #0\n\t"
            "mov r10, r3\n\t"
            "mov r11, r3\n\t"
            "lsls r2, r2, #29\n\t" /* an odd number of words? */
            "beq 5f\n\t"
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "beq 6f\n"
            "5:\n\t" /* 8 columns a turn */
            FOUR_COLUMNS
            FOUR_COLUMNS
            "cmp r1, lr\n\t"
            "bne 5b\n"
            "6:\n\t"
            "ldr r2, [sp, #88]\n\t"
            "cmp r2, #1\n\t"
            "blo 8f\n\t"
            "ldm r1!, {r3}\n\t"
            "bhi 7f\n\t"
            ONE_COLUMN
            "b 8f\n"
            "7:\n\t"
            TWO_COLUMNS
            "8:\n\t"
            "str r1, [sp, #4]\n\t"
            "add r7, sp, #52\n\t"
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
            "ldr r5, [sp, #84]\n\t"
            "subs r5, #1\n\t"
            "str r5, [sp, #84]\n\t"
            "beq 9f\n\t"
            "b 1b\n"
            "9:\n\t"
            "add sp, #16\n\t"
            "pop {r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r4-r7, pc}\n\t");
    /* clang-format on */
}

enum { SMALL = 2, MOST = 255 }; /* the sizes of 4 weights, so that |sum| <= 255 * 128 < 2^15 */

uint8_t bp_conv_kind_armv6m(const uint8_t *weights, uint32_t bytes) {
    const uint32_t halves = 0x00FF00FF;
    for (const uint8_t *end = weights + (size_t)bytes; weights != end; weights += 4) {
        uint32_t four = (uint32_t)BP_ROM_I32(weights);
        const uint32_t signs = four >> 7 & 0x01010101;
        four = (four ^ signs * 255) + signs;
        four = (four & halves) + (four >> 8 & halves);
        if ((uint16_t)(four + (four >> 16)) > MOST) {
            return 1;
        }
    }
    return 1 | SMALL;
}

void bp_conv_block_s8_armv6m(int8_t *y, int32_t y_step, const int8_t *columns,
                             const bp_dense_s8_t *p) {
    const uint32_t pad = p->row_stride - (uint32_t)p->n_in, is_small = p->fast / SMALL;
    uint32_t row_bytes = p->row_stride, rest = 0;
    if (pad >= 2 && row_bytes > 4) {
        row_bytes -= 4;
        rest = 4 - pad;
    }
    const uint32_t sums = (row_bytes >> (1 + is_small)) + (rest != 0);
    put_block(columns, p->weights, 2 * row_bytes + is_small, bp_lanes_begin(2 * sums), p->bias,
              p->mult_q31, p->lshift, -y_step, p->y_zp == INT8_MIN ? 0 : INT32_MIN,
              (int32_t)1 << 30, y + (BP_LANES_PIXELS - 1) * y_step + p->n_out, 2 * p->y_zp + 1,
              p->n_out, rest);
}
#endif
