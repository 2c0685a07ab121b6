#include "check.h"

#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
enum { MAX_DENSE_IN = 40, MAX_DENSE_OUT = 13 };

static uint32_t random_state;
static uint32_t comparisons;
static check_report_t *report_difference;

static uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static void compare(const char *what, uint32_t number, int32_t wanted, int32_t given) {
    ++comparisons;
    if (wanted != given) {
        report_difference(what, number);
    }
}

/* How the bytes of x or of the weights are chosen; extremes make the largest sums. */
enum { RANDOM_BYTES, ALL_LOWEST, ALL_HIGHEST, LOWEST_OR_HIGHEST, PATTERNS };

static int8_t byte_of(uint32_t pattern) {
    uint32_t bits = random_u32();
    switch (pattern) {
    case ALL_LOWEST:
        return -128;
    case ALL_HIGHEST:
        return 127;
    case LOWEST_OR_HIGHEST:
        return bits & 0x100 ? -128 : 127;
    default:
        return (int8_t)(uint8_t)(bits >> 9);
    }
}

static void fill_x(int8_t *x, uint32_t n, uint32_t pattern) {
    for (uint32_t i = 0; i < n; ++i) {
        x[i] = byte_of(pattern);
    }
}

static void fill_rows(uint8_t *weights, uint32_t n_rows, uint32_t n_in, uint32_t row_stride,
                      uint32_t pattern) {
    for (uint32_t r = 0; r < n_rows; ++r) {
        for (uint32_t i = 0; i < row_stride; ++i) {
            weights[r * row_stride + i] = (uint8_t)(i < n_in ? byte_of(pattern) : 0);
        }
    }
}

static int32_t dot(const int8_t *x, const uint8_t *row, uint32_t n_in) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < n_in; ++i) {
        sum += (int32_t)(int8_t)row[i] * x[i];
    }
    return sum;
}

/* pad: bytes beyond the usual row_stride. */
static void check_dot_rows(check_buffer_t *buffer, uint32_t n_in, uint32_t pad) {
    BP_ISA_BEGIN
    uint32_t row_stride = (n_in + 3) / 4 * 4 + pad;
    for (uint32_t variant = 0; variant < PATTERNS * PATTERNS; ++variant) {
        uint32_t offset = variant % 4;
        int8_t *x = (int8_t *)buffer(0, offset + n_in) + offset;
        uint8_t *weights = buffer(1, 4 * row_stride);
        int32_t portable[4];
        int32_t tuned[4];
        fill_x(x, n_in, variant % PATTERNS);
        fill_rows(weights, 4, n_in, row_stride, variant / PATTERNS);
        bp_dot_rows_s8(portable, x, weights, (uint16_t)row_stride, (uint16_t)n_in);
        BP_ISA_DOT_ROWS(tuned, x, weights, (uint16_t)row_stride, (uint16_t)n_in);
        for (uint32_t r = 0; r < 4; ++r) {
            int32_t wanted = dot(x, weights + r * row_stride, n_in);
            compare("bp_dot_rows_s8, n_in", n_in, wanted, portable[r]);
            compare("tuned dot_rows_s8, n_in", n_in, wanted, tuned[r]);
            compare("dot_row_s8, n_in", n_in, wanted,
                    BP_ISA_DOT_ROW(x, weights + r * row_stride, (uint16_t)n_in));
        }
    }
}

/* TensorFlow Lite's formulas with their conditions, as gemmlowp has them. */
static int32_t defined_mul_high(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

static int32_t defined_round_shift(int32_t x, uint32_t rshift) {
    int32_t mask = (int32_t)(((uint32_t)1 << rshift) - 1);
    int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> rshift) + ((x & mask) > threshold ? 1 : 0);
}

static int32_t defined_requant(int32_t x, int32_t mult_q31, int8_t lshift) {
    uint32_t left = lshift > 0 ? (uint32_t)lshift : 0;
    uint32_t right = lshift < 0 ? (uint32_t)-lshift : 0;
    int32_t high = defined_mul_high((int32_t)((uint32_t)x << left), mult_q31);
    return defined_round_shift(high, right);
}

static const int32_t extremes_i32[] = {
    INT32_MIN, INT32_MIN + 1, -0x40000000, -0x10001, -0x10000,   -0xFFFF,    -0x8000,  -1, 0,
    1,         0x7FFF,        0x8000,      0xFFFF,   0x3FFFFFFF, 0x40000000, INT32_MAX};

static int32_t any_i32(void) {
    uint32_t bits = random_u32();
    if (bits % 4 == 0) {
        return extremes_i32[(bits >> 2) % COUNT(extremes_i32)];
    }
    return (int32_t)random_u32() >> (bits >> 27);
}

static int32_t any_multiplier(void) {
    static const int32_t extremes[] = {0, 0x40000000, 0x40000001, INT32_MAX - 1, INT32_MAX};
    uint32_t bits = random_u32();
    if (bits % 8 == 0) {
        return extremes[(bits >> 3) % COUNT(extremes)];
    }
    return (int32_t)(bits >> 2 | 0x40000000);
}

/* Every byte of one factor all zeros, all ones or the sign alone, against every extreme. */
static int32_t bytes_of(uint32_t pattern) {
    static const uint8_t bytes[] = {0x00, 0xFF, 0x80};
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4; ++i, pattern /= COUNT(bytes)) {
        value = value << 8 | bytes[pattern % COUNT(bytes)];
    }
    return (int32_t)value;
}

static void check_fixed_extremes(void) {
    for (uint32_t i = 0; i < COUNT(extremes_i32); ++i) {
        int32_t x = extremes_i32[i];
        for (uint32_t pattern = 0; pattern < 3 * 3 * 3 * 3; ++pattern) {
            int32_t b = bytes_of(pattern);
            compare("bp_mul_high_q31, extreme * 100 + bytes", i * 100 + pattern,
                    defined_mul_high(x, b), bp_mul_high_q31(x, b));
        }
        for (uint8_t rshift = 0; rshift < 32; ++rshift) {
            compare("bp_round_shift_right, extreme * 100 + bits", i * 100 + rshift,
                    defined_round_shift(x, rshift), bp_round_shift_right(x, rshift));
        }
    }
}

static void check_fixed(void) {
    check_fixed_extremes();
    for (uint32_t i = 0; i < 4000; ++i) {
        int32_t a = any_i32();
        int32_t b = any_i32();
        int32_t mult_q31 = any_multiplier();
        int8_t lshift = (int8_t)((int32_t)(random_u32() % 62) - 31);
        uint8_t rshift = (uint8_t)(random_u32() % 32);
        compare("bp_mul_high_q31, case", i, defined_mul_high(a, b), bp_mul_high_q31(a, b));
        compare("bp_round_shift_right, case", i, defined_round_shift(a, rshift),
                bp_round_shift_right(a, rshift));
        compare("bp_requant, case", i, defined_requant(a, mult_q31, lshift),
                bp_requant(a, mult_q31, lshift));
    }
}

typedef struct {
    int32_t bias[MAX_DENSE_OUT];
    int32_t mult_q31[MAX_DENSE_OUT];
    int8_t lshift[MAX_DENSE_OUT];
} parameters_t;

static int8_t defined_output(int32_t sum, uint32_t j, const parameters_t *parameters,
                             const bp_dense_s8_t *p) {
    uint32_t channel = p->per_channel ? j : 0;
    int32_t scaled = defined_requant(parameters->bias[j] + sum, parameters->mult_q31[channel],
                                     parameters->lshift[channel]);
    int32_t y = (int32_t)((uint32_t)scaled + (uint32_t)(int32_t)p->y_zp);
    return (int8_t)(y < p->y_min ? p->y_min : y > p->y_max ? p->y_max : y);
}

static void check_dense(check_buffer_t *buffer, uint32_t n_in, uint32_t n_out, uint8_t per_channel,
                        uint8_t fast) {
    uint32_t row_stride = (n_in + 3) / 4 * 4;
    int8_t *x = (int8_t *)buffer(0, n_in);
    uint8_t *weights = buffer(1, n_out * row_stride);
    parameters_t parameters;
    int8_t y[MAX_DENSE_OUT + 1];
    fill_x(x, n_in, RANDOM_BYTES);
    fill_rows(weights, n_out, n_in, row_stride, RANDOM_BYTES);
    for (uint32_t j = 0; j < n_out; ++j) {
        parameters.bias[j] = (int32_t)random_u32() >> 14;
        parameters.mult_q31[j] = any_multiplier();
        parameters.lshift[j] = (int8_t)(fast ? -1 - (int32_t)(random_u32() % 22)
                                             : -(int32_t)(random_u32() % 20));
    }
    bp_dense_s8_t p = {
        .weights = weights,
        .bias = (const uint8_t *)parameters.bias,
        .mult_q31 = (const uint8_t *)parameters.mult_q31,
        .lshift = (const uint8_t *)parameters.lshift,
        .n_in = (uint16_t)n_in,
        .n_out = (uint16_t)n_out,
        .row_stride = (uint16_t)row_stride,
        .per_channel = per_channel,
        .y_zp = -5,
        .y_min = (int8_t)(n_out % 2 ? -100 : -128),
        .y_max = (int8_t)(n_out % 2 ? 90 : 127),
        .fast = fast,
    };
    y[n_out] = 77;
    bp_dense_s8(y, x, &p);
    for (uint32_t j = 0; j < n_out; ++j) {
        int32_t sum = dot(x, weights + j * row_stride, n_in);
        compare("bp_dense_s8, n_in * 100 + n_out", n_in * 100 + n_out,
                defined_output(sum, j, &parameters, &p), y[j]);
    }
    compare("bp_dense_s8 beyond y, n_out", n_out, 77, y[n_out]);
}

static bp_rounding_t any_rounding(uint32_t variant) {
    bp_rounding_t rounding = {0x80000000u, 0};
    if (variant % 3 != 0) {
        rounding.state = random_u32();
        rounding.increment = 0x9E3779B9u;
    }
    return rounding;
}

static void check_row_change(uint32_t n, bp_row_change_t wanted, bp_row_change_t given) {
    compare("sgd_row, sum of weights, n", n, wanted.weight_sum_change, given.weight_sum_change);
    compare("sgd_row, saturated, n", n, (int32_t)wanted.saturated, (int32_t)given.saturated);
}

/* Against the plain C in copies; the bytes behind a row must stay. */
static void check_sgd_row(check_buffer_t *buffer, uint32_t n) {
    BP_ISA_BEGIN
    enum { MOST = 80 };
    static int8_t high[MOST], low[MOST];
    for (uint32_t variant = 0; variant < 3 * PATTERNS; ++variant) {
        uint32_t offset = variant % 4;
        int8_t *x = (int8_t *)buffer(0, offset + n) + offset;
        int8_t *wh = (int8_t *)buffer(1, n + 4);
        int8_t *wl = (int8_t *)buffer(2, n + 4);
        /* Few steps leave the bounds of a weight, or most do. */
        int32_t c = (int32_t)(random_u32() % 0x800001) - 0x400000;
        c = variant % 2 ? c >> 6 : c;
        int16_t x_zp =
            (int16_t)(variant % PATTERNS == 3 ? -128 : (int32_t)(random_u32() % 256) - 128);
        bp_rounding_t rounding = any_rounding(variant);
        fill_x(x, n, variant % PATTERNS);
        for (uint32_t i = 0; i < n + 4; ++i) {
            wh[i] = high[i] = (int8_t)((int32_t)(random_u32() % 255) - 127);
            wl[i] = low[i] = byte_of(RANDOM_BYTES);
        }
        bp_row_change_t wanted = bp_sgd_row_s16(high, low, x, x_zp, (uint16_t)n, c, rounding);
        bp_row_change_t given = BP_ISA_SGD_ROW(wh, wl, x, x_zp, (uint16_t)n, c, rounding);
        check_row_change(n, wanted, given);
        for (uint32_t i = 0; i < n + 4; ++i) {
            compare("sgd_row, n", n, 256 * high[i] + low[i], 256 * wh[i] + wl[i]);
        }
    }
}

static void check_backward(check_buffer_t *buffer, uint32_t n_in, uint32_t n_out) {
    BP_ISA_BEGIN
    uint32_t row_stride = (n_in + 3) / 4 * 4;
    uint8_t *weights = buffer(1, n_out * row_stride);
    int32_t *delta = (int32_t *)(void *)buffer(0, 4 * n_out);
    int32_t *dx = (int32_t *)(void *)buffer(2, 4 * n_in);
    fill_rows(weights, n_out, n_in, row_stride, RANDOM_BYTES);
    for (uint32_t j = 0; j < n_out; ++j) {
        uint32_t bits = random_u32();
        delta[j] = bits % 8 == 0 ? 32768 : bits % 8 == 1 ? 0 : (int32_t)(bits >> 16) - 32768;
    }
    BP_ISA_BACKWARD(dx, delta, (const int8_t *)weights, (uint16_t)row_stride, (uint16_t)n_in,
                    (uint16_t)n_out);
    for (uint32_t i = 0; i < n_in; ++i) {
        int32_t sum = 0;
        for (uint32_t j = 0; j < n_out; ++j) {
            sum += delta[j] * (int8_t)weights[j * row_stride + i];
        }
        compare("backward, n_in * 100 + n_out", n_in * 100 + n_out, sum, dx[i]);
    }
}

uint32_t check_all(check_buffer_t *buffer, check_report_t *report) {
    report_difference = report;
    random_state = 1;
    comparisons = 0;
    for (uint32_t n_in = 1; n_in <= 70; ++n_in) {
        check_dot_rows(buffer, n_in, 0);
        check_dot_rows(buffer, n_in, 8);
    }
    check_dot_rows(buffer, 784, 0);
    check_dot_rows(buffer, CHECK_X_BYTES - 5, 0);
    check_fixed();
    for (uint32_t n = 1; n <= 70; ++n) {
        check_sgd_row(buffer, n);
        check_backward(buffer, n, 1 + n % 37);
    }
    for (uint32_t n_out = 1; n_out <= MAX_DENSE_OUT; ++n_out) {
        for (uint32_t n_in = 1; n_in <= MAX_DENSE_IN; n_in += 13) {
            for (uint8_t variant = 0; variant < 4; ++variant) {
                check_dense(buffer, n_in, n_out, variant & 1, variant >> 1);
            }
        }
    }
    BP_ISA_BEGIN
#ifndef __AVR__ /* where no convolutions are trained, no model is of halfwords, and RAM is short */
    comparisons += check_rows(buffer, report);
    comparisons += check_halfwords(buffer, report);
#endif
    comparisons += check_depthwise(buffer, report);
    comparisons += check_elements(buffer, report);
    comparisons += check_pairs(buffer, report);
    return comparisons + (BP_ISA_CONV_PIXELS == 0 ? 0 : check_convolutions(buffer, report));
}
