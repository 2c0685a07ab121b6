/* bp_sgd_row_s16 for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: 4 weights per
 * iteration, 12 instructions per weight, 2 where the inputs are zero. In assembly because gcc 12
 * neither packs the halfwords nor keeps 9 values in registers next to what an iteration needs.
 *
 * SMLAL does the rounding: the upper word of -c * (u << 16) + ~state is -((c * u + r) >> 16), r the
 * upper half of state. The master is kept as V = W + 128, whose bytes are Wh and Wl + 128; its
 * upper bound is that of 16 bits. An iteration in which a weight would leave its bounds is left
 * to portable code, which counts: a new Wh of 127, -127 or -128 shows it. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV7EM

/* What the assembly loads into r1 .. r9, in this order, and the sum. */
typedef struct {
    int8_t *wh;
    int8_t *wl;
    const int8_t *x;
    int32_t minus_c;
    uint32_t not_state;
    uint32_t increment;
    uint32_t minus_zp_twice; /* in both halfwords */
    uint32_t zp_four_times;  /* in all bytes; 4 inputs that change nothing */
    const int8_t *x_end;
    int32_t weight_sum_change;
} turns_t;

enum { TURN = 4 };

/* Registers: r1 wh, r2 wl, r3 x, r4 -c, r5 ~state, r6 increment, r7 -x_zp twice, r8 x_zp 4 times,
 * r9 x_end; the others as noted next to the code, with indices of weights. */
#define CHANGE(high, u)                                                                            \
    "mov " high ", #0\n\t"                                                                         \
    "smlal r12, " high ", r4, " u "\n\t"

/* Until the end, or to an iteration that was not done: then the result is 1 and turns says where.
 */
static __attribute__((naked, noinline)) uint32_t run_turns(turns_t *turns __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r0, r4-r11, lr}\n\t"
            "ldm r0, {r1-r9}\n"
            "1:\n\t"
            "cmp r3, r9\n\t"
            "beq 5f\n"
            "2:\n\t"
            "ldr r10, [r3], #4\n\t"
            "cmp r10, r8\n\t"
            "beq 4f\n\t"
            "sxtab16 r11, r7, r10\n\t"         /* u0 u2 */
            "sxtab16 r10, r7, r10, ror #8\n\t" /* u1 u3 */
            "mov r12, r5\n\t"
            "lsl lr, r11, #16\n\t"
            CHANGE("r0", "lr")
            "sub r12, r5, r6, lsl #1\n\t"
            "bfc r11, #0, #16\n\t"
            CHANGE("lr", "r11")
            "pkhbt r11, r0, lr, lsl #16\n\t"   /* changes 0 2 */
            "sub r12, r5, r6\n\t"
            "lsl lr, r10, #16\n\t"
            CHANGE("r0", "lr")
            "sub r5, r5, r6, lsl #2\n\t"
            "add r12, r5, r6\n\t"
            "bfc r10, #0, #16\n\t"
            CHANGE("lr", "r10")
            "pkhbt r10, r0, lr, lsl #16\n\t"   /* changes 1 3 */
            "ldr r0, [r1], #4\n\t"             /* old Wh */
            "ldr lr, [r2]\n\t"
            "eor lr, lr, #0x80808080\n\t"
            "lsl r12, r0, #8\n\t"
            "bic r12, r12, #0x00FF00FF\n\t"
            "uxtab16 r12, r12, lr\n\t"
            "qadd16 r12, r12, r11\n\t"         /* V0 V2 */
            "bic r11, r0, #0x00FF00FF\n\t"
            "uxtab16 r11, r11, lr, ror #8\n\t"
            "qadd16 r11, r11, r10\n\t"         /* V1 V3 */
            "bic r10, r12, #0x00FF00FF\n\t"
            "bic lr, r11, #0x00FF00FF\n\t"
            "orr r10, lr, r10, lsr #8\n\t"     /* new Wh */
            "uxtb16 r12, r12\n\t"
            "uxtb16 r11, r11\n\t"
            "orr r12, r12, r11, lsl #8\n\t"
            "eor r12, r12, #0x80808080\n\t"    /* new Wl */
            "eor lr, r10, r10, lsl #1\n\t"
            "tst lr, #0x80808080\n\t"          /* bits 7 and 6 differ: 64 or more in size */
            "bne 7f\n"
            "3:\n\t"
            "str r12, [r2], #4\n\t"
            "cmp r10, r0\n\t"
            "bne 6f\n\t"
            "cmp r3, r9\n\t"
            "bne 2b\n\t"
            "b 5f\n"
            "4:\n\t" /* 4 inputs that change nothing */
            "add r1, #4\n\t"
            "add r2, #4\n\t"
            "sub r5, r5, r6, lsl #2\n\t"
            "cmp r3, r9\n\t"
            "bne 2b\n"
            "5:\n\t"
            "mov r4, #0\n\t"
            "b 9f\n"
            "6:\n\t" /* some Wh is another: store it, add to the sum */
            "str r10, [r1, #-4]\n\t"
            "eor r0, r0, #0x80808080\n\t"
            "eor r10, r10, #0x80808080\n\t"
            "mov r11, #0\n\t"
            "usad8 r0, r0, r11\n\t"
            "usad8 r10, r10, r11\n\t"
            "sub r10, r10, r0\n\t"
            "ldr r11, [sp]\n\t"
            "ldr r0, [r11, #36]\n\t"
            "add r0, r0, r10\n\t"
            "str r0, [r11, #36]\n\t"
            "b 1b\n"
            "7:\n\t" /* is a new Wh, as unsigned, within 0x7F .. 0x81? */
            "mov r11, #0x7F7F7F7F\n\t"
            "usub8 lr, r10, r11\n\t"
            "mov r11, #0x03030303\n\t"
            "usub8 lr, lr, r11\n\t"
            "mov lr, #0\n\t"
            "sel r11, lr, r11\n\t"
            "cmp r11, #0\n\t"
            "beq 3b\n\t"
            "sub r1, #4\n\t"
            "sub r3, #4\n\t"
            "add r5, r5, r6, lsl #2\n\t"
            "mov r4, #1\n"
            "9:\n\t"
            "pop {r0}\n\t"
            "stm r0, {r1-r3}\n\t"
            "str r5, [r0, #16]\n\t"
            "mov r0, r4\n\t"
            "pop {r4-r11, pc}\n\t");
    /* clang-format on */
}

/* n weights by portable code, from where the iterations stopped. */
static void run_portable(turns_t *turns, int16_t x_zp, uint16_t n, int32_t c,
                         bp_row_change_t *change) {
    bp_rounding_t rounding = {~turns->not_state, turns->increment};
    bp_sgd_part(turns->wh, turns->wl, turns->x, x_zp, n, c, rounding, change);
    turns->wh += n;
    turns->wl += n;
    turns->x += n;
    turns->not_state -= n * turns->increment;
}

bp_row_change_t bp_sgd_row_s16_armv7em(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                       uint16_t n, int32_t c, bp_rounding_t rounding) {
    turns_t turns = {
        .wh = wh,
        .wl = wl,
        .x = x,
        .minus_c = -c,
        .not_state = ~rounding.state,
        .increment = rounding.increment,
        .minus_zp_twice = (uint32_t)(uint16_t)-x_zp * 0x10001u,
        .zp_four_times = (uint32_t)(uint8_t)x_zp * 0x1010101u,
        .x_end = x + (n & ~(uint32_t)(TURN - 1)),
    };
    bp_row_change_t change = {0, 0};
    while (run_turns(&turns) != 0) {
        run_portable(&turns, x_zp, TURN, c, &change);
    }
    run_portable(&turns, x_zp, n % TURN, c, &change);
    change.weight_sum_change += turns.weight_sum_change;
    return change;
}
#endif
