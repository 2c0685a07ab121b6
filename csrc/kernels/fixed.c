#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>

/* Right shifts of negative values are arithmetic in every compiler that builds this library; this
 * fails to compile where they are not. */
typedef char bp_arithmetic_shift_wanted[(-3 >> 1) == -2 ? 1 : -1];

/* ---- the definitions, in plain C ---- */

static inline int32_t plain_round_shift_right(int32_t x, uint8_t rshift) {
    if (rshift == 0) {
        return x;
    }
    uint32_t size = x < 0 ? 0 - (uint32_t)x : (uint32_t)x;
    size = ((size >> (rshift - 1)) + 1) >> 1;
    return x < 0 ? -(int32_t)size : (int32_t)size;
}

/* The same for rshift >= 1 of a product, cheaper because |x| < INT32_MAX: no sum overflows. */
static inline int32_t plain_round_shift_product(int32_t x, int rshift) {
    return (((x - (x < 0)) >> (rshift - 1)) + 1) >> 1;
}

static inline int32_t mul_high_by_halves(int32_t a, int32_t b) {
    int16_t a_high = (int16_t)(a >> 16);
    int16_t b_high = (int16_t)(b >> 16);
    uint16_t a_low = (uint16_t)a;
    uint16_t b_low = (uint16_t)b;
    /* a * b = 2^32 * high + 2^16 * middle + what is below 2^16 and cannot change the result. Of the
     * first three, no sum overflows: |a_high * b_low| <= 2^15 * (2^16 - 1), and 2^16 - 1 is the
     * most that is added. */
    int32_t cross = (int32_t)a_high * b_low + (int32_t)((uint32_t)a_low * b_low >> 16);
    int32_t middle = (int32_t)b_high * a_low + (uint16_t)cross;
    int32_t high = (int32_t)a_high * b_high + (cross >> 16);
    return (int32_t)(2 * (uint32_t)high + (uint32_t)(((middle >> 14) + 1) >> 1));
}

/* (a * b + 2^30) >> 31, a and b not both INT32_MIN. Rounding half towards plus infinity equals the
 * definition's sign-dependent nudge followed by a truncating division:
 * ceil((p + 1 - 2^30) / 2^31) = floor((p + 2^30) / 2^31). */
static inline int32_t plain_mul_high(int32_t a, int32_t b) {
    if (BP_MUL_BY_HALVES) {
        return mul_high_by_halves(a, b);
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* ---- what isa.h names instead for a CPU ---- */

#ifndef BP_ISA_MUL_HIGH
#define BP_ISA_MUL_HIGH plain_mul_high
#endif
#ifdef BP_ISA_ROUND_SHIFT_RIGHT
#define ROUND_SHIFT_PRODUCT(x, rshift) BP_ISA_ROUND_SHIFT_RIGHT(x, (uint8_t)(rshift))
#else
#define BP_ISA_ROUND_SHIFT_RIGHT plain_round_shift_right
#define ROUND_SHIFT_PRODUCT plain_round_shift_product
#endif

int32_t bp_round_shift_right(int32_t x, uint8_t rshift) {
    BP_ASSERT(rshift <= 31);
    return BP_ISA_ROUND_SHIFT_RIGHT(x, rshift);
}

int32_t bp_mul_high_q31(int32_t a, int32_t b) {
    return a == INT32_MIN && b == INT32_MIN ? INT32_MAX : BP_ISA_MUL_HIGH(a, b);
}

int32_t bp_requant(int32_t x, int32_t mult_q31, int8_t lshift) {
    BP_ASSERT(lshift >= -31 && lshift <= 30);
    if (lshift >= 0) {
        return BP_ISA_MUL_HIGH((int32_t)((uint32_t)x << lshift), mult_q31);
    }
    return ROUND_SHIFT_PRODUCT(BP_ISA_MUL_HIGH(x, mult_q31), -lshift);
}
