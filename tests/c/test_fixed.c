/* bp_requant and its parts against the definition in 64-bit divisions. */
#include <byteprop/fixed.h>

#include "check.h"

static void check_requant(int32_t x, int32_t mult_q31, int lshift) {
    CHECK_EQ(bp_requant(x, mult_q31, (int8_t)lshift), requant_by_definition(x, mult_q31, lshift));
}

static void edges(void) {
    static const int32_t xs[] = {
        INT32_MIN, INT32_MIN + 1, -(1 << 30) - 1, -(1 << 30), -65536,   -129, -3, -2, -1, 0, 1, 2,
        3,         127,           65535,          1 << 30,    INT32_MAX};
    static const int32_t mults[] = {0,          1 << 30,       (1 << 30) + 1,
                                    1518500250, INT32_MAX - 1, INT32_MAX};
    for (size_t i = 0; i < sizeof xs / sizeof xs[0]; ++i) {
        for (size_t k = 0; k < sizeof mults / sizeof mults[0]; ++k) {
            for (int lshift = -31; lshift <= 30; ++lshift) {
                check_requant(xs[i], mults[k], lshift);
            }
        }
    }
}

static void halves(void) {
    /* 2^30 halves: an odd x lands on a tie in the first rounding, its neighbours in the second. */
    for (int32_t x = -1000; x <= 1000; ++x) {
        for (int lshift = -12; lshift <= 12; ++lshift) {
            check_requant(x, 1 << 30, lshift);
        }
    }
}

static void any_values(void) {
    for (int i = 0; i < 500000; ++i) {
        int32_t x = (int32_t)random_u32() >> random_below(31);
        check_requant(x, random_mult_q31(), (int)random_below(62) - 31);
    }
}

static void parts(void) {
    CHECK_EQ(bp_mul_high_q31(INT32_MIN, INT32_MIN), INT32_MAX);
    CHECK_EQ(bp_mul_high_q31(INT32_MIN, INT32_MAX), -INT32_MAX);
    CHECK_EQ(bp_round_shift_right(5, 1), 3);
    CHECK_EQ(bp_round_shift_right(-5, 1), -3);
    CHECK_EQ(bp_round_shift_right(INT32_MAX, 31), 1);
    CHECK_EQ(bp_round_shift_right(INT32_MIN, 31), -1);
    CHECK_EQ(bp_round_shift_right(INT32_MIN, 0), INT32_MIN);
    CHECK_EQ(bp_add_wrap(INT32_MAX, 1), INT32_MIN);
}

int main(void) {
    edges();
    halves();
    any_values();
    parts();
    return 0;
}
