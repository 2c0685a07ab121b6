#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

/* Logistic function and hyperbolic tangent of 16-bit fixed-point numbers, without tables: an
 * exponential from a polynomial and seven constants, and a quotient by Newton's method. Every step
 * rounds as gemmlowp's fixed-point functions do. docs/numerics.md, LSTM, has the equations. */

enum {
    ONE = 32767,        /* Q0.15 */
    ONE_Q2 = 8192,      /* Q2.13 */
    EIGHTH = 4096,      /* Q0.15 */
    EXP_EIGHTH = 28918, /* exp(-1/8), Q0.15 */
    THIRD = 10923,      /* Q0.15 */
    C_48_17 = 23130,    /* 48/17, Q2.13 */
    C_32_17 = -15420    /* -32/17, Q2.13 */
};

/* exp(-2^(i-2)), Q0.15 */
static const uint16_t EXP_POWERS[] BP_TABLE = {25520, 19875, 12055, 4435, 600, 11, 0};
enum { N_POWERS = 7 };

static int32_t saturated(int32_t x) {
    return bp_clamp(x, INT16_MIN, INT16_MAX);
}

/* The product of two Q15 numbers, of which not both are -1. */
static int32_t mul(int32_t a, int32_t b) {
    return (a * b + ((int32_t)1 << 14)) >> 15;
}

/* exp(a), -1/4 <= a < 0, Q0.15 */
static int32_t exp_of_quarter(int32_t a) {
    const int32_t x = a + EIGHTH;
    const int32_t x2 = mul(x, x), x3 = mul(x2, x), x4 = mul(x2, x2);
    const int32_t rest =
        bp_round_shift_right(mul(bp_round_shift_right(x4, 2) + x3, THIRD) + x2, 1);
    return saturated(EXP_EIGHTH + mul(EXP_EIGHTH, x + rest));
}

/* exp(a) in Q0.15 of a <= 0 with this number of integer bits, 1 to 7. */
static int32_t exp_of_negative(int32_t a, uint8_t integer_bits) {
    const uint8_t fraction_bits = (uint8_t)(15 - integer_bits);
    const int32_t quarter = (int32_t)1 << (fraction_bits - 2);
    const int32_t in_quarter = (a & (quarter - 1)) - quarter;
    const int32_t remainder = in_quarter - a;
    int32_t y = exp_of_quarter(in_quarter * ((int32_t)1 << integer_bits));
    for (uint8_t i = 0; i < N_POWERS && i < integer_bits + 2; ++i) {
        if ((remainder & (quarter << i)) != 0) {
            y = mul(y, (int32_t)BP_TABLE_U16(EXP_POWERS + i));
        }
    }
    if (integer_bits > 5 && a < -((int32_t)32 << fraction_bits)) {
        y = 0;
    }
    return a == 0 ? ONE : y;
}

/* 2 / (1 + a) in Q2.13 of 0 <= a <= 1 in Q0.15 */
static int32_t two_by_one_plus(int32_t a) {
    const int32_t half = (a + ONE + 1) / 2;
    int32_t x = C_48_17 + mul(half, C_32_17);
    for (uint8_t i = 0; i < 3; ++i) {
        x += saturated(4 * mul(x, ONE_Q2 - mul(half, x)));
    }
    return x;
}

int16_t bp_logistic_s16(int16_t x) {
    if (x == 0) {
        return 1 << 14;
    }
    const int32_t positive =
        saturated(2 * two_by_one_plus(exp_of_negative(x > 0 ? -x : x, BP_GATE_INTEGER_BITS)));
    return (int16_t)(x > 0 ? positive : ONE - positive);
}

int16_t bp_tanh_s16(int16_t x, uint8_t integer_bits) {
    if (x == 0) {
        return 0;
    }
    const int32_t a = x > 0 ? -x : x;
    const int32_t y =
        saturated(4 * (two_by_one_plus(exp_of_negative(a, (uint8_t)(integer_bits + 1))) - ONE_Q2));
    return (int16_t)(x > 0 ? y : -y);
}
