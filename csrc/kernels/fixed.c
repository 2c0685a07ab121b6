#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>

/* Right shifts of negative values are arithmetic in every compiler that builds this library; this
 * fails to compile where they are not. */
typedef char bp_arithmetic_shift_wanted[(-3 >> 1) == -2 ? 1 : -1];

int32_t bp_round_shift_right(int32_t x, uint8_t rshift) {
    BP_ASSERT(rshift <= 31);
#if defined(BP_ISA_ROUND_SHIFT_RIGHT)
    return BP_ISA_ROUND_SHIFT_RIGHT(x, rshift);
#else
    if (rshift == 0) {
        return x;
    }
    uint32_t size = x < 0 ? 0 - (uint32_t)x : (uint32_t)x;
    size = ((size >> (rshift - 1)) + 1) >> 1;
    return x < 0 ? -(int32_t)size : (int32_t)size;
#endif
}

/* (a * b + 2^30) >> 31, a and b not both INT32_MIN. Rounding half towards plus infinity equals the
 * definition's sign-dependent nudge followed by a truncating division:
 * ceil((p + 1 - 2^30) / 2^31) = floor((p + 2^30) / 2^31). */
static int32_t mul_high(int32_t a, int32_t b) {
#if defined(BP_ISA_MUL_HIGH)
    return BP_ISA_MUL_HIGH(a, b);
#elif BP_MUL_BY_HALVES
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
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
#endif
}

int32_t bp_mul_high_q31(int32_t a, int32_t b) {
    return a == INT32_MIN && b == INT32_MIN ? INT32_MAX : mul_high(a, b);
}

int32_t bp_requant(int32_t x, int32_t mult_q31, int8_t lshift) {
    BP_ASSERT(lshift >= -31 && lshift <= 30);
    if (lshift >= 0) {
        return mul_high((int32_t)((uint32_t)x << lshift), mult_q31);
    }
    x = mul_high(x, mult_q31);
#if defined(BP_ISA_ROUND_SHIFT_RIGHT)
    return BP_ISA_ROUND_SHIFT_RIGHT(x, (uint8_t)-lshift);
#else
    /* bp_round_shift_right, cheaper because |x| < INT32_MAX: no sum overflows. */
    return (((x - (x < 0)) >> (-lshift - 1)) + 1) >> 1;
#endif
}
