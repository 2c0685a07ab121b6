/* bp_sgd_row_s16 for Cortex-M0, M0+ and M23: 27 instructions per weight, 7 where the input is zero.
 * In assembly because gcc 12 does not keep the constants of a row in the high registers. A weight
 * that would leave its bounds is left to portable code, which counts. */
#include "isa/isa.h"

#ifdef BP_ISA_ARMV6M

/* What the assembly loads into r0 .. r4 and r8 .. r12, in this order. */
typedef struct {
    int32_t place; /* counts up to 0 */
    const int8_t *x_end;
    int8_t *wh_end;
    int8_t *wl_end;
    uint32_t state;
    int32_t c;
    int32_t minus_zp;
    uint32_t increment;
    int32_t minus_min; /* of W */
    int32_t weight_sum_change;
} places_t;

/* Until the end, or to a weight that was not changed: places->place is not 0 then. r5 .. r7: what
 * a weight needs. */
static __attribute__((naked, noinline)) void run_places(places_t *places __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r0, r4-r7, lr}\n\t"
            "mov r4, r8\n\t"
            "mov r5, r9\n\t"
            "mov r6, r10\n\t"
            "mov r7, r11\n\t"
            "push {r4-r7}\n\t"
            "mov r5, r0\n\t"
            "ldr r6, [r5, #20]\n\t"
            "mov r8, r6\n\t"
            "ldr r6, [r5, #24]\n\t"
            "mov r9, r6\n\t"
            "ldr r6, [r5, #28]\n\t"
            "mov r10, r6\n\t"
            "ldr r6, [r5, #32]\n\t"
            "mov r11, r6\n\t"
            "ldr r6, [r5, #36]\n\t"
            "mov r12, r6\n\t"
            "ldm r5!, {r0-r4}\n"
            "1:\n\t"
            "ldrsb r5, [r1, r0]\n\t"
            "add r5, r9\n\t"
            "cmp r5, #0\n\t"
            "beq 2f\n\t"
            "mov r6, r8\n\t"
            "muls r5, r6, r5\n\t"
            "lsrs r6, r4, #16\n\t"
            "adds r5, r5, r6\n\t"
            "asrs r5, r5, #16\n\t" /* change */
            "ldrsb r6, [r3, r0]\n\t"
            "ldrsb r7, [r2, r0]\n\t"
            "subs r5, r6, r5\n\t"
            "lsls r6, r7, #8\n\t"
            "adds r5, r5, r6\n\t"
            "add r5, r11\n\t"      /* W above its least value */
            "lsrs r6, r5, #8\n\t"  /* Wh + 127 */
            "cmp r6, #254\n\t"
            "bhi 3f\n\t"
            "subs r6, #127\n\t"
            "strb r6, [r2, r0]\n\t"
            "subs r6, r6, r7\n\t"
            "add r12, r6\n\t"
            "adds r5, #128\n\t"
            "strb r5, [r3, r0]\n"
            "2:\n\t"
            "add r4, r10\n\t"
            "adds r0, #1\n\t"
            "bne 1b\n"
            "3:\n\t"
            "ldr r5, [sp, #16]\n\t"
            "str r0, [r5]\n\t"
            "str r4, [r5, #16]\n\t"
            "mov r6, r12\n\t"
            "str r6, [r5, #36]\n\t"
            "pop {r4-r7}\n\t"
            "mov r8, r4\n\t"
            "mov r9, r5\n\t"
            "mov r10, r6\n\t"
            "mov r11, r7\n\t"
            "pop {r0, r4-r7, pc}\n\t");
    /* clang-format on */
}

bp_row_change_t bp_sgd_row_s16_armv6m(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                      uint16_t n, int32_t c, bp_rounding_t rounding) {
    places_t at = {
        .place = -(int32_t)n,
        .x_end = x + n,
        .wh_end = wh + n,
        .wl_end = wl + n,
        .state = rounding.state,
        .c = c,
        .minus_zp = -(int32_t)x_zp,
        .increment = rounding.increment,
        .minus_min = -BP_MASTER_MIN,
    };
    bp_row_change_t change = {0, 0};
    while (at.place != 0) {
        run_places(&at);
        if (at.place != 0) {
            rounding.state = at.state;
            bp_sgd_part(at.wh_end + at.place, at.wl_end + at.place, at.x_end + at.place, x_zp, 1, c,
                        rounding, &change);
            ++at.place;
            at.state += at.increment;
        }
    }
    change.weight_sum_change += at.weight_sum_change;
    return change;
}
#endif
