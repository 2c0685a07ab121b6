/* Depthwise 3 x 3 for Cortex-M0, M0+ and M23: one output at a time, 4 instructions for a product.
 * Low registers have what loads and multiplies; weights lie in high registers and on the stack. In
 * assembly because gcc 12 does not allocate registers this way. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_ARMV6M

/* What the assembly reads, in this order. */
typedef struct {
    int32_t weights_left[4]; /* on the stack: 5 to 8 */
    uint32_t mult_low;
    uint32_t mult_high;
    int32_t rounding;
    uint32_t rshift;
    int32_t bias;
    uint32_t y_step;
    uint32_t row_end; /* column after the last output */
    uint32_t next_row;
    uint32_t rows;
    int32_t weights[5]; /* in registers: 0 to 4 */
    const uint8_t *plane;
    uint32_t row_bytes;
    int8_t *y;
} state_t;

/* r0, r1, r2 rows, r3 column, r6 sum, r7 y; r4, r5 scratch; r8 .. r11, lr weights; r12 2^15. On the
 * stack: state_t up to `rows`. */
#define PRODUCT(row, get_weight)                                                                   \
    "ldrsb r4, [" row ", r3]\n\t" get_weight "\n\t"                                                \
    "muls r4, r5, r4\n\t"                                                                          \
    "adds r6, r6, r4\n\t"
/* From the sum in r0, |sum| < 2^28: sum = a1 * 2^15 + a0, multiplier = r2 * 2^16 + r1, and the high
 * multiplication is a1 * r2 + ((a1 * r1 + 2 * a0 * r2 + (a0 * r1 >> 15) + 2^15) >> 16). r3
 * rounding, r4 shift. r5: the result, saturated. */
#define REQUANTIZE                                                                                 \
    "lsls r5, r0, #17\n\t"                                                                         \
    "asrs r5, r5, #17\n\t"                                                                         \
    "subs r6, r0, r5\n\t"                                                                          \
    "asrs r6, r6, #15\n\t"                                                                         \
    "asrs r0, r0, #31\n\t"                                                                         \
    "adds r0, r0, r3\n\t"                                                                          \
    "movs r7, r5\n\t"                                                                              \
    "muls r7, r1, r7\n\t"                                                                          \
    "asrs r7, r7, #15\n\t"                                                                         \
    "muls r5, r2, r5\n\t"                                                                          \
    "lsls r5, r5, #1\n\t"                                                                          \
    "adds r7, r7, r5\n\t"                                                                          \
    "movs r5, r6\n\t"                                                                              \
    "muls r5, r1, r5\n\t"                                                                          \
    "adds r7, r7, r5\n\t"                                                                          \
    "add r7, r12\n\t"                                                                              \
    "asrs r7, r7, #16\n\t"                                                                         \
    "muls r6, r2, r6\n\t"                                                                          \
    "adds r7, r7, r6\n\t"                                                                          \
    "adds r7, r7, r0\n\t"                                                                          \
    "asrs r7, r7, r4\n\t"                                                                          \
    "sxtb r5, r7\n\t"                                                                              \
    "cmp r5, r7\n\t"                                                                               \
    "beq 3f\n\t"                                                                                   \
    "asrs r7, r7, #31\n\t"                                                                         \
    "movs r5, #127\n\t"                                                                            \
    "eors r5, r5, r7\n"                                                                            \
    "3:\n\t"
/* clang-format off */
#define OUTPUTS(to_next_column)                                                                    \
    __asm__(".syntax unified\n\t"                                                                  \
            "push {r4-r7, lr}\n\t"                                                                 \
            "mov r4, r8\n\t"                                                                       \
            "mov r5, r9\n\t"                                                                       \
            "mov r6, r10\n\t"                                                                      \
            "mov r7, r11\n\t"                                                                      \
            "push {r4-r7}\n\t"                                                                     \
            "sub sp, sp, #52\n\t"                                                                  \
            "mov r1, sp\n\t"                                                                       \
            "ldm r0!, {r2-r7}\n\t"                                                                 \
            "stm r1!, {r2-r7}\n\t"                                                                 \
            "ldm r0!, {r2-r7}\n\t"                                                                 \
            "stm r1!, {r2-r7}\n\t"                                                                 \
            "ldm r0!, {r2}\n\t"                                                                    \
            "stm r1!, {r2}\n\t"                                                                    \
            "ldm r0!, {r2-r6}\n\t"                                                                 \
            "mov r8, r2\n\t"                                                                       \
            "mov r9, r3\n\t"                                                                       \
            "mov r10, r4\n\t"                                                                      \
            "mov r11, r5\n\t"                                                                      \
            "mov lr, r6\n\t"                                                                       \
            "movs r4, #1\n\t"                                                                      \
            "lsls r4, r4, #15\n\t"                                                                 \
            "mov r12, r4\n\t"                                                                      \
            "ldr r7, [r0, #8]\n\t"                                                                 \
            "ldr r5, [r0, #4]\n\t"                                                                 \
            "ldr r0, [r0]\n\t"                                                                     \
            "adds r1, r0, r5\n\t"                                                                  \
            "adds r2, r1, r5\n"                                                                    \
            "1:\n\t" /* a row */                                                                   \
            "movs r3, #0\n"                                                                        \
            "2:\n\t" /* an output */                                                               \
            "ldr r6, [sp, #32]\n\t"                                                                \
            PRODUCT("r0", "mov r5, r8")                                                            \
            PRODUCT("r1", "mov r5, r11")                                                           \
            PRODUCT("r2", "ldr r5, [sp, #4]")                                                      \
            "adds r3, r3, #1\n\t"                                                                  \
            PRODUCT("r0", "mov r5, r9")                                                            \
            PRODUCT("r1", "mov r5, lr")                                                            \
            PRODUCT("r2", "ldr r5, [sp, #8]")                                                      \
            "adds r3, r3, #1\n\t"                                                                  \
            PRODUCT("r0", "mov r5, r10")                                                           \
            PRODUCT("r1", "ldr r5, [sp]")                                                          \
            PRODUCT("r2", "ldr r5, [sp, #12]")                                                     \
            to_next_column                                                                         \
            "push {r0-r3, r7}\n\t"                                                                 \
            "mov r0, r6\n\t"                                                                       \
            "add r1, sp, #36\n\t"                                                                  \
            "ldm r1, {r1-r4}\n\t"                                                                  \
            REQUANTIZE                                                                             \
            "pop {r0-r3, r7}\n\t"                                                                  \
            "strb r5, [r7]\n\t"                                                                    \
            "ldr r5, [sp, #36]\n\t"                                                                \
            "adds r7, r7, r5\n\t"                                                                  \
            "ldr r5, [sp, #40]\n\t"                                                                \
            "cmp r3, r5\n\t"                                                                       \
            "bne 2b\n\t"                                                                           \
            "ldr r5, [sp, #44]\n\t"                                                                \
            "adds r0, r0, r5\n\t"                                                                  \
            "adds r1, r1, r5\n\t"                                                                  \
            "adds r2, r2, r5\n\t"                                                                  \
            "ldr r5, [sp, #48]\n\t"                                                                \
            "subs r5, r5, #1\n\t"                                                                  \
            "str r5, [sp, #48]\n\t"                                                                \
            "bne 1b\n\t"                                                                           \
            "add sp, sp, #52\n\t"                                                                  \
            "pop {r4-r7}\n\t"                                                                      \
            "mov r8, r4\n\t"                                                                       \
            "mov r9, r5\n\t"                                                                       \
            "mov r10, r6\n\t"                                                                      \
            "mov r11, r7\n\t"                                                                      \
            "pop {r4-r7, pc}\n\t")
/* clang-format on */

__attribute__((naked, noinline)) static void outputs_1(const state_t *s __attribute__((unused))) {
    OUTPUTS("subs r3, r3, #1\n\t");
}

__attribute__((naked, noinline)) static void outputs_2(const state_t *s __attribute__((unused))) {
    OUTPUTS("");
}

static inline void begin_channel(state_t *s, const bp_depthwise_planes_t *p, uint32_t channel) {
    const uint32_t mult_q31 = BP_ROM_U32(p->mult_q31 + 4 * channel);
    const uint8_t *w = p->weights + channel * p->channel_step;
    for (uint32_t i = 0; i < 5; ++i, w += p->weight_step) {
        s->weights[i] = BP_ROM_I8(w);
    }
    for (uint32_t i = 0; i < 4; ++i, w += p->weight_step) {
        s->weights_left[i] = BP_ROM_I8(w);
    }
    s->mult_low = (uint16_t)mult_q31;
    s->mult_high = mult_q31 >> 16;
    s->rshift = (uint32_t)-BP_ROM_I8(p->lshift + channel);
    s->rounding = bp_short_rounding(p->y_zp, (uint8_t)s->rshift);
    s->bias = BP_ROM_I32(p->bias + 4 * channel);
}

void bp_depthwise_outputs_s8_armv6m(const bp_depthwise_planes_t *p) {
    state_t s = {
        .y_step = p->y_step,
        .row_end = p->strides[1] * p->width,
        .next_row = p->strides[0] * p->row_bytes,
        .rows = p->rows,
        .plane = p->planes,
        .row_bytes = p->row_bytes,
        .y = p->y,
    };
    for (uint32_t channel = 0; channel < p->channels; ++channel) {
        begin_channel(&s, p, channel);
        if (p->strides[1] == 1) {
            outputs_1(&s);
        } else {
            outputs_2(&s);
        }
        s.plane += p->plane_bytes;
        ++s.y;
    }
}
#endif
