/* The short requantization, and bp_add_s8 and bp_mul_s8 with it, against the definition. */
#include "check.h"

#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { CASES = 400, MAX_N = 45, GUARD = 77 };

static uint32_t state;

static uint32_t random_u32(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t below(uint32_t n) {
    return (random_u32() >> 8) % n;
}

static int8_t any_byte(void) {
    const uint32_t kind = below(8);
    return (int8_t)(kind == 0 ? -128 : kind == 1 ? 127 : (int32_t)below(256) - 128);
}

static int32_t any_multiplier(void) {
    static const int32_t extremes[] = {0, 0x40000000, 0x40000001, INT32_MAX - 1, INT32_MAX};
    const uint32_t kind = below(6);
    return kind == 0   ? extremes[below(5)]
           : kind == 1 ? (int32_t)(0x40000000 | below(4) << 28) /* makes ties */
                       : (int32_t)(random_u32() >> 2 | 0x40000000);
}

static int8_t any_short_lshift(void) {
    return (int8_t)(below(4) == 0 ? -22 + (int32_t)below(4) : -1 - (int32_t)below(22));
}

/* |x| < 2^28, with the ends and the values beside powers of two. */
static int32_t any_short(void) {
    const int32_t most = ((int32_t)1 << 28) - 1, kind = (int32_t)below(6);
    const int32_t power = (int32_t)1 << below(28);
    const int32_t x = kind == 0   ? most
                      : kind == 1 ? power + (int32_t)below(3) - 1
                                  : (int32_t)(random_u32() >> 4) >> below(20);
    return below(2) ? x : -x;
}

static void check_requant(check_report_t *report, uint32_t number) {
    const int32_t x = any_short() & ~(below(2) ? 0 : 0x7FFF), mult_q31 = any_multiplier();
    const int8_t lshift = any_short_lshift(), y_zp = any_byte();
    const uint8_t rshift = (uint8_t)-lshift;
    const int32_t rounding = bp_short_rounding(y_zp, rshift);
    if (bp_requant_short(x, mult_q31, rounding, rshift) != bp_requant(x, mult_q31, lshift) + y_zp) {
        report("bp_requant_short, case", number);
    }
}

typedef struct {
    int8_t *x[2];
    int8_t *y; /* one of the inputs, or neither */
    uint32_t n;
    int8_t expected[MAX_N];
} pair_t;

static void any_pair(pair_t *pair, check_buffer_t *buffer) {
    const uint32_t where = below(3);
    pair->n = 1 + below(MAX_N);
    for (uint32_t i = 0; i < 2; ++i) {
        const uint32_t offset = below(4);
        pair->x[i] = (int8_t *)buffer(i, offset + pair->n) + offset;
        for (uint32_t k = 0; k < pair->n; ++k) {
            pair->x[i][k] = any_byte();
        }
    }
    pair->y = where < 2 ? pair->x[where] : (int8_t *)buffer(2, pair->n + 1);
    if (where == 2) {
        pair->y[pair->n] = GUARD;
    }
}

static void compare(const pair_t *pair, check_report_t *report, const char *what, uint32_t number) {
    for (uint32_t k = 0; k < pair->n; ++k) {
        if (pair->expected[k] != pair->y[k]) {
            report(what, number);
            return;
        }
    }
    if (pair->y != pair->x[0] && pair->y != pair->x[1] && pair->y[pair->n] != GUARD) {
        report("beyond y of a pair, case", number);
    }
}

static void any_range(int8_t *y_min, int8_t *y_max) {
    const int narrow = below(3) == 0;
    *y_min = (int8_t)(narrow ? -128 + (int32_t)below(120) : -128);
    *y_max = (int8_t)(narrow ? 127 - (int32_t)below(120) : 127);
}

/* Most have one halved input, as TensorFlow Lite's sums have. */
static uint32_t check_add(check_buffer_t *buffer, check_report_t *report, uint32_t number) {
    pair_t pair;
    bp_add_t p = {.y_zp = any_byte(), .subtract = (uint8_t)below(2)};
    any_pair(&pair, buffer);
    any_range(&p.y_min, &p.y_max);
    for (uint32_t i = 0; i < 3; ++i) {
        p.mult_q31[i] = any_multiplier();
        p.lshift[i] = below(9) == 0 ? (int8_t) - (int32_t)below(32) : any_short_lshift();
    }
    for (uint32_t i = 0; i < 2; ++i) {
        p.x_zp[i] = any_byte();
    }
    if (below(4) != 0) {
        const uint32_t halved = below(2);
        p.mult_q31[halved] = 0x40000000;
        p.lshift[halved] = 0;
        /* Without this input, how the other one is rounded shows. */
        for (uint32_t k = below(3); k < pair.n; k += 3) {
            pair.x[halved][k] = p.x_zp[halved];
        }
    }
    for (uint32_t k = 0; k < pair.n; ++k) {
        int32_t term[2];
        for (uint32_t i = 0; i < 2; ++i) {
            term[i] = bp_requant((pair.x[i][k] - p.x_zp[i]) * ((int32_t)1 << 20), p.mult_q31[i],
                                 p.lshift[i]);
        }
        const int32_t sum = term[0] + (p.subtract ? -term[1] : term[1]);
        const int32_t value = bp_requant(sum, p.mult_q31[2], p.lshift[2]) + p.y_zp;
        pair.expected[k] = (int8_t)bp_clamp(value, p.y_min, p.y_max);
    }
    bp_add_s8(pair.y, pair.x[0], pair.x[1], pair.n, &p);
    compare(&pair, report, "bp_add_s8, case", number);
    return pair.n;
}

static uint32_t check_mul(check_buffer_t *buffer, check_report_t *report, uint32_t number) {
    pair_t pair;
    bp_mul_t p = {.mult_q31 = any_multiplier(), .y_zp = any_byte()};
    any_pair(&pair, buffer);
    any_range(&p.y_min, &p.y_max);
    p.lshift = (int8_t)(below(4) == 0 ? (int32_t)below(36) - 31 : any_short_lshift());
    p.x_zp[0] = any_byte();
    p.x_zp[1] = any_byte();
    for (uint32_t k = 0; k < pair.n; ++k) {
        const int32_t x1 = pair.x[0][k] - p.x_zp[0], x2 = pair.x[1][k] - p.x_zp[1];
        const int32_t value = bp_add_wrap(bp_requant(x1 * x2, p.mult_q31, p.lshift), p.y_zp);
        pair.expected[k] = (int8_t)bp_clamp(value, p.y_min, p.y_max);
    }
    bp_mul_s8(pair.y, pair.x[0], pair.x[1], pair.n, &p);
    compare(&pair, report, "bp_mul_s8, case", number);
    return pair.n;
}

uint32_t check_pairs(check_buffer_t *buffer, check_report_t *report) {
    uint32_t comparisons = 0;
    state = 1;
    for (uint32_t number = 0; number < CASES; ++number) {
        for (uint32_t i = 0; i < 10; ++i) {
            check_requant(report, number);
        }
        comparisons += 10 + check_add(buffer, report, number) + check_mul(buffer, report, number);
    }
    return comparisons;
}
