/* bp_add_elements_s8 and bp_mul_elements_s8 for Cortex-M4, M7 and other Thumb-2 cores with the DSP
 * extension: a rounding high multiplication and what is added to it are one instruction. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV7EM

/* a * b / 2^32 rounded half up, plus c. */
static inline int32_t mul_high_add(int32_t a, int32_t b, int32_t c) {
    __asm__("smmlar %0, %1, %2, %0" : "+r"(c) : "r"(a), "r"(b));
    return c;
}

static inline int8_t saturated(int32_t x) {
    int32_t y;
    __asm__("ssat %0, #8, %1" : "=r"(y) : "r"(x));
    return (int8_t)y;
}

/* Where an activation is narrower than int8. */
static void clamp(int8_t *y, uint32_t n, int8_t y_min, int8_t y_max) {
    if (y_min != INT8_MIN || y_max != INT8_MAX) {
        for (const int8_t *end = y + n; y != end; ++y) {
            *y = (int8_t)bp_clamp(*y, y_min, y_max);
        }
    }
}

/* What the assembly reads, in this order. Factors are twice as large, because SMMLAR does not
 * double. */
typedef struct {
    int32_t x_zp;
    int32_t x_mult_q31;
    int32_t x_rounding;
    int32_t x_rshift;
    int32_t factor;
    int32_t offset;
    int32_t x_sign;
    int32_t mult_q31;
    int32_t rounding;
    int32_t rshift;
    const int8_t *end; /* of y */
} sum_t;

/* r11 scratch. */
#define SCALE(x) /* r3 .. r6: x_zp, x_mult_q31, x_rounding, x_rshift */                            \
    "sub " x ", " x ", r3\n\t"                                                                     \
    "add r11, r5, " x ", asr #31\n\t"                                                              \
    "lsl " x ", " x ", #21\n\t"                                                                    \
    "smmlar " x ", " x ", r4, r11\n\t"                                                             \
    "asr " x ", " x ", r6\n\t"
#define SUM(x) /* r3 .. r6: factor, offset, x_sign, mult_q31; r12 rounding, lr rshift */           \
    "ldrsb r11, [r1], #1\n\t"                                                                      \
    "mla r11, r11, r3, r4\n\t"                                                                     \
    "mla " x ", " x ", r5, r11\n\t"                                                                \
    "add r11, r12, " x ", asr #31\n\t"                                                             \
    "smmlar " x ", " x ", r6, r11\n\t"                                                             \
    "asr " x ", " x ", lr\n\t"                                                                     \
    "ssat " x ", #8, " x "\n\t"                                                                    \
    "strb " x ", [r0], #1\n\t"

/* Sums four at a time, at least four. In assembly because all constants do not fit into the
 * registers: the inputs of four are scaled with some, then the sums with the others. */
__attribute__((naked, noinline)) static void sums(int8_t *y __attribute__((unused)),
                                                  const int8_t *halved __attribute__((unused)),
                                                  const int8_t *x __attribute__((unused)),
                                                  const sum_t *s __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r11, lr}\n\t"
            "ldm r3, {r4-r12, r14}\n\t"
            "ldr r3, [r3, #40]\n\t"
            "push {r3}\n\t"
            "push {r4-r12, r14}\n"
            "1:\n\t"
            "ldm sp, {r3-r6}\n\t"
            "ldrsb r7, [r2], #1\n\t"
            "ldrsb r8, [r2], #1\n\t"
            "ldrsb r9, [r2], #1\n\t"
            "ldrsb r10, [r2], #1\n\t"
            SCALE("r7") SCALE("r8") SCALE("r9") SCALE("r10")
            "add r11, sp, #16\n\t"
            "ldm r11, {r3-r6, r12, r14}\n\t"
            SUM("r7") SUM("r8") SUM("r9") SUM("r10")
            "ldr r11, [sp, #40]\n\t"
            "cmp r0, r11\n\t"
            "bne 1b\n\t"
            "add sp, sp, #44\n\t"
            "pop {r4-r11, pc}\n\t");
    /* clang-format on */
}

static int8_t sum_of(int8_t halved, int8_t x, const sum_t *s) {
    const int32_t v = (int32_t)x - s->x_zp;
    const int32_t scaled =
        mul_high_add((int32_t)((uint32_t)v << 21), s->x_mult_q31, s->x_rounding + (v >> 31)) >>
        s->x_rshift;
    const int32_t sum = halved * s->factor + s->offset + scaled * s->x_sign;
    return saturated(mul_high_add(sum, s->mult_q31, s->rounding + (sum >> 31)) >> s->rshift);
}

void bp_add_elements_s8_armv7em(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                const bp_add_t *p) {
    const uint32_t fours = n & ~(uint32_t)3;
    bp_add_short_t add;
    if (!bp_add_as_short(&add, p)) {
        bp_add_elements_s8(y, x1, x2, n, p);
        return;
    }
    const int8_t *halved = add.halved == 0 ? x1 : x2, *x = add.halved == 0 ? x2 : x1;
    const sum_t s = {
        .x_zp = add.x_zp,
        .x_mult_q31 = add.x_mult_q31,
        .x_rounding = add.x_rounding,
        .x_rshift = add.x_rshift,
        .factor = 2 * add.factor,
        .offset = 2 * add.offset,
        .x_sign = 2 * add.x_sign,
        .mult_q31 = add.mult_q31,
        .rounding = add.rounding,
        .rshift = add.rshift,
        .end = y + fours,
    };
    if (fours != 0) {
        sums(y, halved, x, &s);
    }
    for (uint32_t i = fours; i < n; ++i) {
        y[i] = sum_of(halved[i], x[i], &s);
    }
    clamp(y, n, p->y_min, p->y_max);
}

void bp_mul_elements_s8_armv7em(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                const bp_mul_t *p) {
    if (!bp_is_short(p->lshift)) {
        bp_mul_elements_s8(y, x1, x2, n, p);
        return;
    }
    const uint8_t rshift = (uint8_t)-p->lshift;
    const int32_t rounding = bp_short_rounding(p->y_zp, rshift), mult_q31 = p->mult_q31;
    const int32_t zp1 = p->x_zp[0], zp2 = p->x_zp[1];
    int8_t *to = y;
    for (const int8_t *end = y + n; to != end; ++to) {
        const int32_t doubled = 2 * (*x1++ - zp1) * (*x2++ - zp2);
        *to = saturated(mul_high_add(doubled, mult_q31, rounding + (doubled >> 31)) >> rshift);
    }
    clamp(y, n, p->y_min, p->y_max);
}
#endif
