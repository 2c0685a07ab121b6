/* Depthwise 3 x 3 for Cortex-M3 and other Thumb-2 cores without the DSP extension: 4 outputs of a
 * row at a time, whose windows have most values in common. In assembly because the 4 sums, 3 rows
 * and 3 weights take all registers, which gcc 12 does not manage. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_ARMV7M

/* What the assembly reads, in this order. */
typedef struct {
    int32_t doubled_bias[4];
    int32_t doubled_weights[9];
    int32_t mult_q31;
    int32_t rounding;
    uint32_t rshift;
    uint32_t y_step;
    const uint8_t
        *fours_end;         /* where the first row of the window is after all blocks of 4 outputs */
    const uint8_t *row_end; /* and after all outputs */
    uint32_t next_row;      /* from a row to the next output row's */
    uint32_t to_next_row;   /* from the end of a row */
    uint32_t rows;
    const uint8_t *plane[3];
    int8_t *y;
} state_t;

/* r0, r1, r2 rows, r3 y, r4 .. r6 weights of a row of taps, r7 .. r10 sums, doubled as their
 * weights are, so that the upper word of a product is the doubling high multiplication; r11 value,
 * r12 where the next weights are. The stack points at state_t. */
#define VALUE(row, at) "ldrsb r11, [" row ", #" #at "]\n\t"
#define ADD(weight, sum) "mla " sum ", r11, " weight ", " sum "\n\t"
/* clang-format off */
#define FOUR_PRODUCTS_1(row)                                                                       \
    "ldm r12!, {r4-r6}\n\t"                                                                        \
    VALUE(row, 0) ADD("r4", "r7")                                                                  \
    VALUE(row, 1) ADD("r5", "r7") ADD("r4", "r8")                                                  \
    VALUE(row, 2) ADD("r6", "r7") ADD("r5", "r8") ADD("r4", "r9")                                  \
    VALUE(row, 3) ADD("r6", "r8") ADD("r5", "r9") ADD("r4", "r10")                                 \
    VALUE(row, 4) ADD("r6", "r9") ADD("r5", "r10")                                                 \
    VALUE(row, 5) ADD("r6", "r10")                                                                 \
    "adds " row ", " row ", #4\n\t"
#define FOUR_PRODUCTS_2(row)                                                                       \
    "ldm r12!, {r4-r6}\n\t"                                                                        \
    VALUE(row, 0) ADD("r4", "r7")                                                                  \
    VALUE(row, 1) ADD("r5", "r7")                                                                  \
    VALUE(row, 2) ADD("r6", "r7") ADD("r4", "r8")                                                  \
    VALUE(row, 3) ADD("r5", "r8")                                                                  \
    VALUE(row, 4) ADD("r6", "r8") ADD("r4", "r9")                                                  \
    VALUE(row, 5) ADD("r5", "r9")                                                                  \
    VALUE(row, 6) ADD("r6", "r9") ADD("r4", "r10")                                                 \
    VALUE(row, 7) ADD("r5", "r10")                                                                 \
    VALUE(row, 8) ADD("r6", "r10")                                                                 \
    "adds " row ", " row ", #8\n\t"
#define ONE_PRODUCT(row, stride)                                                                   \
    "ldm r12!, {r4-r6}\n\t"                                                                        \
    VALUE(row, 1) ADD("r5", "r7")                                                                  \
    VALUE(row, 2) ADD("r6", "r7")                                                                  \
    "ldrsb r11, [" row "], #" stride "\n\t" ADD("r4", "r7")
/* r4 multiplier, r5 rounding, r6 shift, r12 y_step; r11, lr scratch. */
#define OUTPUT(sum)                                                                                \
    "smull r11, lr, " sum ", r4\n\t"                                                               \
    "add lr, lr, r11, lsr #31\n\t"                                                                 \
    "add lr, lr, " sum ", asr #31\n\t"                                                             \
    "add lr, lr, r5\n\t"                                                                           \
    "asr lr, lr, r6\n\t"                                                                           \
    "ssat lr, #8, lr\n\t"                                                                          \
    "strb lr, [r3]\n\t"                                                                            \
    "add r3, r3, r12\n\t"
#define OUTPUTS(four_products, stride)                                                             \
    __asm__(".syntax unified\n\t"                                                                  \
            "push {r4-r11, lr}\n\t"                                                                \
            "ldm r0!, {r1-r12, lr}\n\t"                                                            \
            "sub sp, sp, #36\n\t"                                                                  \
            "push {r1-r12, lr}\n\t"                                                                \
            "add r12, sp, #52\n\t"                                                                 \
            "ldm r0!, {r1-r9}\n\t"                                                                 \
            "stm r12, {r1-r9}\n\t"                                                                 \
            "ldm r0, {r0-r3}\n"                                                                    \
            "1:\n\t" /* a row */                                                                   \
            "ldr lr, [sp, #68]\n"                                                                  \
            "2:\n\t" /* four outputs */                                                            \
            "cmp r0, lr\n\t"                                                                       \
            "beq 3f\n\t"                                                                           \
            "ldm sp, {r7-r10}\n\t"                                                                 \
            "add r12, sp, #16\n\t"                                                                 \
            four_products("r0") four_products("r1") four_products("r2")                            \
            "ldm r12, {r4-r6, r12}\n\t"                                                            \
            OUTPUT("r7") OUTPUT("r8") OUTPUT("r9") OUTPUT("r10")                                   \
            "ldr lr, [sp, #68]\n\t"                                                                \
            "b 2b\n"                                                                               \
            "3:\n\t" /* one output */                                                              \
            "ldr lr, [sp, #72]\n\t"                                                                \
            "cmp r0, lr\n\t"                                                                       \
            "beq 4f\n\t"                                                                           \
            "ldr r7, [sp]\n\t"                                                                     \
            "add r12, sp, #16\n\t"                                                                 \
            ONE_PRODUCT("r0", stride) ONE_PRODUCT("r1", stride) ONE_PRODUCT("r2", stride)          \
            "ldm r12, {r4-r6, r12}\n\t"                                                            \
            OUTPUT("r7")                                                                           \
            "b 3b\n"                                                                               \
            "4:\n\t"                                                                               \
            "add r12, sp, #68\n\t"                                                                 \
            "ldm r12, {r4-r8}\n\t"                                                                 \
            "add r4, r4, r6\n\t"                                                                   \
            "add r5, r5, r6\n\t"                                                                   \
            "add r0, r0, r7\n\t"                                                                   \
            "add r1, r1, r7\n\t"                                                                   \
            "add r2, r2, r7\n\t"                                                                   \
            "subs r8, r8, #1\n\t"                                                                  \
            "stm r12, {r4-r8}\n\t"                                                                 \
            "bne 1b\n\t"                                                                           \
            "add sp, sp, #88\n\t"                                                                  \
            "pop {r4-r11, pc}\n\t")
/* clang-format on */

__attribute__((naked, noinline)) static void outputs_1(const state_t *s __attribute__((unused))) {
    OUTPUTS(FOUR_PRODUCTS_1, "1");
}

__attribute__((naked, noinline)) static void outputs_2(const state_t *s __attribute__((unused))) {
    OUTPUTS(FOUR_PRODUCTS_2, "2");
}

static inline void begin_channel(state_t *s, const bp_depthwise_planes_t *p, uint32_t channel) {
    const int32_t doubled_bias = 2 * BP_ROM_I32(p->bias + 4 * channel);
    const uint8_t *w = p->weights + channel * p->channel_step;
    for (uint32_t i = 0; i < 4; ++i) {
        s->doubled_bias[i] = doubled_bias;
    }
    for (uint32_t i = 0; i < 9; ++i, w += p->weight_step) {
        s->doubled_weights[i] = 2 * BP_ROM_I8(w);
    }
    s->mult_q31 = BP_ROM_I32(p->mult_q31 + 4 * channel);
    s->rshift = (uint32_t)-BP_ROM_I8(p->lshift + channel);
    s->rounding = bp_short_rounding(p->y_zp, (uint8_t)s->rshift);
}

void bp_depthwise_outputs_s8_armv7m(const bp_depthwise_planes_t *p) {
    const uint32_t next_row = p->strides[0] * p->row_bytes, step = p->strides[1];
    const uint8_t *plane = p->planes;
    state_t s = {
        .y_step = p->y_step,
        .next_row = next_row,
        .to_next_row = next_row - step * p->width,
        .rows = p->rows,
    };
    for (uint32_t channel = 0; channel < p->channels; ++channel, plane += p->plane_bytes) {
        begin_channel(&s, p, channel);
        s.fours_end = plane + step * (p->width & ~3u);
        s.row_end = plane + step * p->width;
        s.plane[0] = plane;
        s.plane[1] = plane + p->row_bytes;
        s.plane[2] = plane + 2 * p->row_bytes;
        s.y = p->y + channel;
        if (step == 1) {
            outputs_1(&s);
        } else {
            outputs_2(&s);
        }
    }
}

/* ---- 4 channels: 13 instructions for the 4 values of a pixel ---- */

/* What the assembly reads, in this order. */
typedef struct {
    const int8_t *x;
    uint32_t x_step;
    uint8_t *planes[4];
    uint32_t rows;
    uint32_t width;
    uint32_t to_next_row; /* from the end of a row of values */
} spread_t;

/* r1 x, r2 x_step, r3 .. r6 planes, r7 rows, r8 width, r9 to_next_row, r10 pixels left. */
__attribute__((naked, noinline)) static void spread(const spread_t *s __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r10, lr}\n\t"
            "ldm r0, {r1-r9}\n"
            "1:\n\t" /* a row */
            "mov r10, r8\n"
            "2:\n\t" /* a pixel */
            "ldr r0, [r1]\n\t"
            "add r1, r1, r2\n\t"
            "strb r0, [r3], #1\n\t"
            "lsrs r0, r0, #8\n\t"
            "strb r0, [r4], #1\n\t"
            "lsrs r0, r0, #8\n\t"
            "strb r0, [r5], #1\n\t"
            "lsrs r0, r0, #8\n\t"
            "strb r0, [r6], #1\n\t"
            "subs r10, r10, #1\n\t"
            "bne 2b\n\t"
            "add r3, r3, r9\n\t"
            "add r4, r4, r9\n\t"
            "add r5, r5, r9\n\t"
            "add r6, r6, r9\n\t"
            "subs r7, r7, #1\n\t"
            "bne 1b\n\t"
            "pop {r4-r10, pc}\n\t");
    /* clang-format on */
}

void bp_depthwise_spread_s8_armv7m(const bp_spread_t *p) {
    if (p->channels != 4) { /* a word would reach beyond the last pixel */
        bp_depthwise_spread_s8(p);
        return;
    }
    const spread_t s = {
        .x = p->x,
        .x_step = p->x_step,
        .planes = {p->planes, p->planes + p->plane_bytes, p->planes + 2 * p->plane_bytes,
                   p->planes + 3 * p->plane_bytes},
        .rows = p->rows,
        .width = p->width,
        .to_next_row = p->row_bytes - p->width,
    };
    spread(&s);
}
#endif
