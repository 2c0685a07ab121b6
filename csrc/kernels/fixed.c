#include <byteprop/config.h>
#include <byteprop/fixed.h>

/* Right shifts of negative values are arithmetic in every compiler that builds this library; this
 * fails to compile where they are not. */
typedef char bp_arithmetic_shift_wanted[(-3 >> 1) == -2 ? 1 : -1];

int32_t bp_round_shift_right(int32_t x, uint8_t rshift) {
    BP_ASSERT(rshift <= 31);
    int32_t mask = (int32_t)(((uint32_t)1 << rshift) - 1);
    int32_t half = (mask >> 1) + (x < 0);
    return (x >> rshift) + ((x & mask) > half);
}

int32_t bp_mul_high_q31(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    /* Rounding half towards plus infinity equals the definition's sign-dependent nudge followed by
     * a truncating division: ceil((p + 1 - 2^30) / 2^31) = floor((p + 2^30) / 2^31). */
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

int32_t bp_requant(int32_t x, int32_t mult_q31, int8_t lshift) {
    BP_ASSERT(lshift >= -31 && lshift <= 30);
    if (lshift > 0) {
        x = (int32_t)((uint32_t)x << lshift);
    }
    x = (int32_t)(((int64_t)x * mult_q31 + ((int64_t)1 << 30)) >> 31);
    return lshift < 0 ? bp_round_shift_right(x, (uint8_t)-lshift) : x;
}
