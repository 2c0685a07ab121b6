#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

/* The exponentials are summed in Q12.19. At most BP_SOFTMAX_MAX_ELEMS of them, each at
 * most 1 and the largest 1, have a sum of 2^19 .. 2^31 - 1: 1 to 12 leading zeros, and a last shift
 * of 23 to 34 bits. From 32 bits on nothing is left of the shares. */
enum { SUM_INTEGER_BITS = 12 };

static int8_t max_of(const int8_t *x, uint16_t n) {
    int8_t max = x[0];
    for (uint16_t i = 1; i < n; ++i) {
        if (x[i] > max) {
            max = x[i];
        }
    }
    return max;
}

static int32_t exp_of(const uint8_t *exp_q31, int8_t max, int8_t x) {
    return BP_ROM_I32(exp_q31 + (size_t)4 * (uint8_t)(max - x));
}

/* Leading zeros of a positive value. */
static uint8_t leading_zeros(uint32_t x) {
    uint8_t n = 0;
    for (; (x & 0x80000000u) == 0; x <<= 1) {
        ++n;
    }
    return n;
}

/* 1 / (1 + x) for x in Q0.31, by three Newton steps on half the denominator in Q2.29 from
 * 48/17 - 32/17 * d. The result is in Q0.31. */
static int32_t reciprocal_of_one_plus(int32_t x_q31) {
    /* (x + 1) / 2, the one being INT32_MAX; both are positive, so halves round up. */
    int32_t half_q31 = (int32_t)(((uint32_t)x_q31 + (uint32_t)INT32_MAX + 1) >> 1);
    int32_t r_q29 = 1515870810 + bp_mul_high_q31(half_q31, -1010580540);
    for (uint8_t step = 0; step < 3; ++step) {
        int32_t error_q29 = ((int32_t)1 << 29) - bp_mul_high_q31(half_q31, r_q29);
        /* |error| <= 1/17 and |r| <= 48/17, so the product, in Q4.27, can be shifted left by 2. */
        r_q29 += bp_mul_high_q31(r_q29, error_q29) * 4;
    }
    /* From Q2.29 with the exponent lowered by one to Q0.31. */
    return r_q29 > INT32_MAX / 2 ? INT32_MAX : r_q29 * 2;
}

void bp_softmax_s8(int8_t *y, const int8_t *x, const uint8_t *exp_q31, uint16_t n) {
    int8_t max = max_of(x, n);
    int32_t sum_q19 = 0;
    for (uint16_t i = 0; i < n; ++i) {
        sum_q19 += bp_round_shift_right(exp_of(exp_q31, max, x[i]), SUM_INTEGER_BITS);
    }
    uint8_t headroom = leading_zeros((uint32_t)sum_q19);
    int32_t scale_q31 =
        reciprocal_of_one_plus((int32_t)(((uint32_t)sum_q19 << headroom) - 0x80000000u));
    uint8_t rshift = (uint8_t)(SUM_INTEGER_BITS - headroom + 31 - 8);
    if (rshift > 31) {
        rshift = 31;
        scale_q31 = 0;
    }
    for (uint16_t i = 0; i < n; ++i) {
        int32_t share = bp_mul_high_q31(scale_q31, exp_of(exp_q31, max, x[i]));
        int32_t unit256 = bp_round_shift_right(share, rshift);
        y[i] = (int8_t)bp_clamp(unit256 - 128, -128, 127);
    }
}
