/* Depthwise 3 x 3 for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension. Planes are of
 * halfwords, so that an instruction multiplies two neighbours of a row: 4 for the 6 products of two
 * outputs in a row of taps. In assembly because the 6 words of weights, 3 rows and 2 sums take all
 * registers, which gcc 12 does not manage. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_ARMV7EM

/* What the assembly reads, in this order. */
typedef struct {
    int32_t doubled_bias[2];
    int32_t mult_q31;
    int32_t rounding;
    uint32_t rshift;
    uint32_t y_step;
    uint32_t pairs_bytes; /* of a row of the plane for all pairs of outputs */
    uint32_t to_next_row; /* from there */
    uint32_t rows;
    uint32_t is_odd; /* an output is left over in each row */
    uint32_t unused; /* where the pairs of the row end */
    const uint8_t *plane[3];
    int8_t *y;
    int32_t doubled_weights[6]; /* w0 and w1, w1 and w2 of each row of taps */
} state_t;

/* The sums lie in r12 and lr, doubled as their weights are: SMMLAR then is the doubling high
 * multiplication. r0, r1, r2 rows, r3 y, r4 .. r9 weights, r10, r11 scratch. On the stack: state_t
 * up to `unused`. */
#define TWO_PRODUCTS_1(row, w01, w12)                                                              \
    "ldrd r10, r11, [" row "], #4\n\t"                                                             \
    "smlad r12, r10, " w01 ", r12\n\t"                                                             \
    "smlabt r12, r11, " w12 ", r12\n\t"                                                            \
    "smlatb lr, r10, " w01 ", lr\n\t"                                                              \
    "smlad lr, r11, " w12 ", lr\n\t"
#define TWO_PRODUCTS_2(row, w01, w12)                                                              \
    "ldrd r10, r11, [" row "], #8\n\t"                                                             \
    "smlad r12, r10, " w01 ", r12\n\t"                                                             \
    "smlabt r12, r11, " w12 ", r12\n\t"                                                            \
    "smlad lr, r11, " w01 ", lr\n\t"                                                               \
    "ldr r10, [" row "]\n\t"                                                                       \
    "smlabt lr, r10, " w12 ", lr\n\t"
#define ONE_PRODUCT(row, w01, w12)                                                                 \
    "ldrd r10, r11, [" row "]\n\t"                                                                 \
    "smlad r12, r10, " w01 ", r12\n\t"                                                             \
    "smlabt r12, r11, " w12 ", r12\n\t"
#define THREE_ROWS(products)                                                                       \
    products("r0", "r4", "r5") products("r1", "r6", "r7") products("r2", "r8", "r9")

/* clang-format off */
#define OUTPUTS(two_products)                                                                      \
    __asm__(".syntax unified\n\t"                                                                  \
            "push {r4-r11, lr}\n\t"                                                                \
            "ldm r0!, {r1-r11}\n\t"                                                                \
            "push {r1-r11}\n\t"                                                                    \
            "ldm r0, {r0-r9}\n"                                                                    \
            "1:\n\t" /* a row */                                                                   \
            "ldr r10, [sp, #24]\n\t"                                                               \
            "cmp r10, #0\n\t"                                                                      \
            "beq 3f\n\t"                                                                           \
            "add r10, r10, r0\n\t"                                                                 \
            "str r10, [sp, #40]\n"                                                                 \
            "2:\n\t" /* two outputs */                                                             \
            "ldrd r12, lr, [sp]\n\t"                                                               \
            THREE_ROWS(two_products)                                                               \
            "ldrd r10, r11, [sp, #8]\n\t"                                                          \
            "add r11, r11, r12, asr #31\n\t"                                                       \
            "smmlar r12, r12, r10, r11\n\t"                                                        \
            "ldr r11, [sp, #12]\n\t"                                                               \
            "add r11, r11, lr, asr #31\n\t"                                                        \
            "smmlar lr, lr, r10, r11\n\t"                                                          \
            "ldrd r10, r11, [sp, #16]\n\t"                                                         \
            "asr r12, r12, r10\n\t"                                                                \
            "asr lr, lr, r10\n\t"                                                                  \
            "ssat r12, #8, r12\n\t"                                                                \
            "ssat lr, #8, lr\n\t"                                                                  \
            "strb r12, [r3]\n\t"                                                                   \
            "strb lr, [r3, r11]\n\t"                                                               \
            "add r3, r3, r11, lsl #1\n\t"                                                          \
            "ldr r10, [sp, #40]\n\t"                                                               \
            "cmp r0, r10\n\t"                                                                      \
            "bne 2b\n"                                                                             \
            "3:\n\t"                                                                               \
            "ldr r10, [sp, #36]\n\t"                                                               \
            "cmp r10, #0\n\t"                                                                      \
            "beq 4f\n\t"                                                                           \
            "ldr r12, [sp]\n\t" /* one output */                                                   \
            THREE_ROWS(ONE_PRODUCT)                                                                \
            "ldrd r10, r11, [sp, #8]\n\t"                                                          \
            "add r11, r11, r12, asr #31\n\t"                                                       \
            "smmlar r12, r12, r10, r11\n\t"                                                        \
            "ldrd r10, r11, [sp, #16]\n\t"                                                         \
            "asr r12, r12, r10\n\t"                                                                \
            "ssat r12, #8, r12\n\t"                                                                \
            "strb r12, [r3]\n\t"      \
            "add r3, r3, r11\n"                                                              \
            "4:\n\t"                                                                               \
            "ldrd r10, r11, [sp, #28]\n\t"                                                         \
            "add r0, r0, r10\n\t"                                                                  \
            "add r1, r1, r10\n\t"                                                                  \
            "add r2, r2, r10\n\t"                                                                  \
            "subs r11, r11, #1\n\t"                                                                \
            "str r11, [sp, #32]\n\t"                                                               \
            "bne 1b\n\t"                                                                           \
            "add sp, sp, #44\n\t"                                                                  \
            "pop {r4-r11, pc}\n\t")
/* clang-format on */

__attribute__((naked, noinline)) static void outputs_1(const state_t *s __attribute__((unused))) {
    OUTPUTS(TWO_PRODUCTS_1);
}

__attribute__((naked, noinline)) static void outputs_2(const state_t *s __attribute__((unused))) {
    OUTPUTS(TWO_PRODUCTS_2);
}

static inline int32_t pair_of(int32_t low, int32_t high) {
    return (int32_t)((uint32_t)(uint16_t)low | (uint32_t)high << 16);
}

static inline void begin_channel(state_t *s, const bp_depthwise_planes_t *p, uint32_t channel) {
    const int32_t doubled_bias = 2 * BP_ROM_I32(p->bias + 4 * channel);
    const uint8_t *w = p->weights + channel * p->channel_step;
    s->doubled_bias[0] = s->doubled_bias[1] = doubled_bias;
    s->mult_q31 = BP_ROM_I32(p->mult_q31 + 4 * channel);
    s->rshift = (uint32_t)-BP_ROM_I8(p->lshift + channel);
    s->rounding = bp_short_rounding(p->y_zp, (uint8_t)s->rshift);
    for (int32_t *to = s->doubled_weights; to != s->doubled_weights + 6; to += 2) {
        const int32_t w0 = BP_ROM_I8(w), w1 = BP_ROM_I8(w + p->weight_step);
        const int32_t w2 = BP_ROM_I8(w + 2 * p->weight_step);
        to[0] = pair_of(2 * w0, 2 * w1);
        to[1] = pair_of(2 * w1, 2 * w2);
        w += 3 * p->weight_step;
    }
}

void bp_depthwise_outputs_s8_armv7em(const bp_depthwise_planes_t *p) {
    const uint32_t pairs_bytes = p->width / 2 * 4 * p->strides[1];
    const uint8_t *plane = p->planes;
    state_t s = {
        .y_step = p->y_step,
        .pairs_bytes = pairs_bytes,
        .to_next_row = p->strides[0] * p->row_bytes - pairs_bytes,
        .rows = p->rows,
        .is_odd = p->width % 2,
        .y = p->y,
    };
    for (uint32_t channel = 0; channel < p->channels; ++channel, plane += p->plane_bytes) {
        begin_channel(&s, p, channel);
        s.plane[0] = plane;
        s.plane[1] = plane + p->row_bytes;
        s.plane[2] = plane + 2 * p->row_bytes;
        s.y = p->y + channel;
        if (p->strides[1] == 1) {
            outputs_1(&s);
        } else {
            outputs_2(&s);
        }
    }
}

/* ---- 4 channels, two pixels at a time: 17 instructions for 8 values ---- */

/* What the assembly reads, in this order. */
typedef struct {
    uint32_t to_next_row; /* from the end of a row of values */
    uint32_t pairs;
    uint32_t is_odd;
    uint32_t rows;
    const int8_t *x;
    uint32_t x_step;
    uint8_t *planes[4];
} spread_t;

/* r2 x, r3 x_step, r4 .. r7 planes, r8 pairs; r9 .. r12, lr scratch. On the stack: spread_t up to
 * `rows`. */
__attribute__((naked, noinline)) static void spread(const spread_t *s __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r11, lr}\n\t"
            "ldm r0!, {r4-r7}\n\t"
            "push {r4-r7}\n\t"
            "ldm r0, {r2-r7}\n"
            "1:\n\t" /* a row */
            "ldr r8, [sp, #4]\n\t"
            "cmp r8, #0\n\t"
            "beq 3f\n"
            "2:\n\t" /* two pixels: channels 0 and 2, 1 and 3 of each, then both pixels of each */
            "ldr r9, [r2]\n\t"
            "ldr r10, [r2, r3]\n\t"
            "add r2, r2, r3, lsl #1\n\t"
            "sxtb16 r11, r9\n\t"
            "sxtb16 r9, r9, ror #8\n\t"
            "sxtb16 r12, r10\n\t"
            "sxtb16 r10, r10, ror #8\n\t"
            "pkhbt lr, r11, r12, lsl #16\n\t"
            "str lr, [r4], #4\n\t"
            "pkhtb r12, r12, r11, asr #16\n\t"
            "str r12, [r6], #4\n\t"
            "pkhbt lr, r9, r10, lsl #16\n\t"
            "str lr, [r5], #4\n\t"
            "pkhtb r10, r10, r9, asr #16\n\t"
            "str r10, [r7], #4\n\t"
            "subs r8, r8, #1\n\t"
            "bne 2b\n"
            "3:\n\t"
            "ldr r8, [sp, #8]\n\t"
            "cmp r8, #0\n\t"
            "beq 4f\n\t"
            "ldr r9, [r2]\n\t" /* one pixel */
            "add r2, r2, r3\n\t"
            "sxtb r11, r9\n\t"
            "strh r11, [r4], #2\n\t"
            "sxtb r11, r9, ror #8\n\t"
            "strh r11, [r5], #2\n\t"
            "sxtb r11, r9, ror #16\n\t"
            "strh r11, [r6], #2\n\t"
            "asr r11, r9, #24\n\t"
            "strh r11, [r7], #2\n"
            "4:\n\t"
            "ldr r9, [sp]\n\t"
            "add r4, r4, r9\n\t"
            "add r5, r5, r9\n\t"
            "add r6, r6, r9\n\t"
            "add r7, r7, r9\n\t"
            "ldr r9, [sp, #12]\n\t"
            "subs r9, r9, #1\n\t"
            "str r9, [sp, #12]\n\t"
            "bne 1b\n\t"
            "add sp, sp, #16\n\t"
            "pop {r4-r11, pc}\n\t");
    /* clang-format on */
}

/* Fewer channels than 4, where a word would reach beyond the last pixel. */
static void spread_few(const bp_spread_t *p) {
    const int8_t *x = p->x;
    uint8_t *row = p->planes;
    for (uint32_t rows = p->rows; rows != 0; --rows, row += p->row_bytes) {
        int16_t *to = (int16_t *)(void *)row;
        for (const int16_t *end = to + p->width; to != end; ++to, x += p->x_step) {
            int16_t *plane = to;
            for (uint32_t i = 0; i < p->channels; ++i, plane += p->plane_bytes / 2) {
                *plane = x[i];
            }
        }
    }
}

void bp_depthwise_spread_s8_armv7em(const bp_spread_t *p) {
    if (p->channels != 4) {
        spread_few(p);
        return;
    }
    const spread_t s = {
        .to_next_row = p->row_bytes - 2 * p->width,
        .pairs = p->width / 2,
        .is_odd = p->width % 2,
        .rows = p->rows,
        .x = p->x,
        .x_step = p->x_step,
        .planes = {p->planes, p->planes + p->plane_bytes, p->planes + 2 * p->plane_bytes,
                   p->planes + 3 * p->plane_bytes},
    };
    spread(&s);
}
#endif
