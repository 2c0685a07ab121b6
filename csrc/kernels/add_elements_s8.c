#include "isa/primitives.h"
#include <byteprop/fixed.h>
#include <stddef.h>

static int32_t scaled(int8_t x, uint8_t operand, const bp_add_t *p) {
    int32_t value = ((int32_t)x - p->x_zp[operand]) * ((int32_t)1 << BP_ADD_FRACTION_BITS);
    return bp_requant(value, p->mult_q31[operand], p->lshift[operand]);
}

/* Of any scalings. */
static void add(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, const bp_add_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t second = scaled(x2[i], 1, p);
        int32_t sum = scaled(x1[i], 0, p) + (p->subtract ? -second : second);
        sum = bp_requant(sum, p->mult_q31[2], p->lshift[2]);
        y[i] = (int8_t)bp_clamp(sum + p->y_zp, p->y_min, p->y_max);
    }
}

/* |v| <= 255: the high multiplication of v * 2^20 by m is (v * m + 2^10) >> 11, which takes more
 * than 32 bits. The products with two parts of m do not. s is a copy, which no store to y changes.
 */
static void add_short(int8_t *y, const int8_t *halved, const int8_t *x, uint32_t n,
                      const bp_add_short_t s, int32_t y_min, int32_t y_max) {
    const int32_t high = s.x_mult_q31 >> 11, low = s.x_mult_q31 & 0x7FF, x_sign = s.x_sign;
    for (const int8_t *end = y + (size_t)n; y != end; ++y) {
        const int32_t v = *x++ - s.x_zp;
        const int32_t product = v * high + ((v * low + (1 << 10)) >> 11);
        const int32_t scaled_x = (product + (v >> 31) + s.x_rounding) >> s.x_rshift;
        const int32_t sum = *halved++ * s.factor + s.offset + scaled_x * x_sign;
        const int32_t value = bp_requant_short(sum, s.mult_q31, s.rounding, s.rshift);
        *y = (int8_t)bp_clamp(value, y_min, y_max);
    }
}

void bp_add_elements_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                        const bp_add_t *p) {
    bp_add_short_t s;
    if (!bp_add_as_short(&s, p)) {
        add(y, x1, x2, n, p);
    } else if (s.halved == 0) {
        add_short(y, x1, x2, n, s, p->y_min, p->y_max);
    } else {
        add_short(y, x2, x1, n, s, p->y_min, p->y_max);
    }
}
