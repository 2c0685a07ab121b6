#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

/* exp(x) for x in Q0.31, -1/4 <= x < 0: a Taylor polynomial of degree 4 around -1/8. */
static int32_t exp_of_last_quarter(int32_t x_q31) {
    const int32_t exp_of_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    int32_t d = x_q31 + ((int32_t)1 << 28);
    int32_t d2 = bp_mul_high_q31(d, d);
    int32_t d3 = bp_mul_high_q31(d2, d);
    int32_t d4_over_4 = bp_round_shift_right(bp_mul_high_q31(d2, d2), 2);
    int32_t tail = bp_round_shift_right(bp_mul_high_q31(d4_over_4 + d3, third) + d2, 1);
    return exp_of_minus_eighth + bp_mul_high_q31(exp_of_minus_eighth, d + tail);
}

/* exp(x) for x in Q5.26, x <= 0, in Q0.31: the last quarter by polynomial, the rest by a product of
 * constants exp(-2^k), k = -2 .. 4, one for each bit of the distance. */
static int32_t exp_of_negative(int32_t x_q26) {
    static const int32_t exp_of_minus_power[7] = {1672461947, 1302514674, 790015084, 290630308,
                                                  39332535,   720401,     242};
    const int32_t quarter = (int32_t)1 << 24;
    if (x_q26 == 0) {
        return INT32_MAX;
    }
    int32_t in_quarter = (x_q26 & (quarter - 1)) - quarter;
    int32_t result = exp_of_last_quarter(in_quarter * 32);
    uint32_t distance = (uint32_t)in_quarter - (uint32_t)x_q26;
    for (uint8_t k = 0; k < 7; ++k) {
        if (distance & ((uint32_t)1 << (24 + k))) {
            result = bp_mul_high_q31(result, exp_of_minus_power[k]);
        }
    }
    return result;
}

int32_t bp_softmax_exp(int32_t d, int32_t mult_q31, int8_t lshift, int32_t diff_min) {
    return -d >= diff_min ? exp_of_negative(bp_requant(-d, mult_q31, lshift)) : 0;
}

void bp_softmax_exp_table(int32_t *exp_q31, int32_t mult_q31, int8_t lshift, int32_t diff_min) {
    for (int32_t d = 0; d < 256; ++d) {
        exp_q31[d] = bp_softmax_exp(d, mult_q31, lshift, diff_min);
    }
}
