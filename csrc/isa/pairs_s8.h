/* Sums and products of int8 elements, for files that have included their vectors. */
#ifndef BYTEPROP_ISA_PAIRS_S8_H
#define BYTEPROP_ISA_PAIRS_S8_H

#include <byteprop/kernels.h>

/* A multiplication by mult_q31 * 2^(-rshift - 31), and an addition. */
typedef struct {
    mult_t mult;
    vec_t rshift, rounding, has_shift;
} rescale_t;

PACKED_INLINE rescale_t rescale_of(int32_t mult_q31, int8_t lshift) {
    const int32_t rshift = -lshift;
    return (rescale_t){
        .mult = mult_of(set_all(mult_q31)),
        .rshift = set_all(rshift),
        .rounding = set_all(rshift == 0 ? 0 : (int32_t)1 << (rshift - 1)),
        .has_shift = set_all(rshift == 0 ? 0 : -1),
    };
}

/* As bp_requant, of 2 * x. |x| < 2^29: what is added for the rounding does not overflow. */
PACKED_INLINE vec_t rescaled_twice(vec_t twice, const rescale_t *r) {
    const vec_t below = both(sign(twice), r->has_shift);
    return shift_right(add(mul_high_twice(twice, r->mult), add(below, r->rounding)), r->rshift);
}

PACKED_INLINE vec_t rescaled(vec_t x, const rescale_t *r) {
    return rescaled_twice(add(x, x), r);
}

/* ---- add ---- */

typedef struct {
    rescale_t input[2], output;
    vec_t x_zp[2], y_zp;
    range_t range;
} add_t;

PACKED_INLINE vec_t term(const int8_t *x, const add_t *a, int operand) {
    return rescaled_twice(shift_left(sub(widened(x), a->x_zp[operand]), 21), &a->input[operand]);
}

PACKED_INLINE vec_t sum_of(const int8_t *x1, const int8_t *x2, const add_t *a, int subtract) {
    const vec_t first = term(x1, a, 0), second = term(x2, a, 1);
    const vec_t sum = subtract ? sub(first, second) : add(first, second);
    return add(rescaled(sum, &a->output), a->y_zp);
}

PACKED_INLINE void add_vectors(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                               const bp_add_t *p, int subtract) {
    const add_t a = {
        .input = {rescale_of(p->mult_q31[0], p->lshift[0]),
                  rescale_of(p->mult_q31[1], p->lshift[1])},
        .output = rescale_of(p->mult_q31[2], p->lshift[2]),
        .x_zp = {set_all(p->x_zp[0]), set_all(p->x_zp[1])},
        .y_zp = set_all(p->y_zp),
        .range = range_of(p->y_min, p->y_max),
    };
    for (uint32_t i = 0; i < n; i += 4 * LANES, x1 += 4 * LANES, x2 += 4 * LANES) {
        put_4(y + i, sum_of(x1, x2, &a, subtract), sum_of(x1 + LANES, x2 + LANES, &a, subtract),
              sum_of(x1 + 2 * LANES, x2 + 2 * LANES, &a, subtract),
              sum_of(x1 + 3 * LANES, x2 + 3 * LANES, &a, subtract), a.range);
    }
}

/* The usual addition: the input with the larger scale, here x1, is multiplied by 1/2, which needs no
 * rounding; the other one and the sum are shifted. Zero points are in the constants. */
typedef struct {
    zero_mult_t input;
    sum_mult_t output;
    vec_t input_rshift, sum_zero, rshift;
    range_t range;
} half_add_t;

PACKED_INLINE half_add_t half_add_of(const bp_add_t *p, int half) {
    const int32_t zero = p->x_zp[1 - half] * ((int32_t)1 << 21);
    const int32_t rshift = -p->lshift[1 - half];
    return (half_add_t){
        .input = zero_mult_of(p->mult_q31[1 - half], zero, (int32_t)1 << (rshift - 1)),
        .output = sum_mult_of(set_all(p->mult_q31[2]),
                              set_all(bp_short_rounding(p->y_zp, (uint8_t)-p->lshift[2]))),
        .input_rshift = set_all(rshift),
        .sum_zero = set_all(SUM_OFFSET - p->x_zp[half] * ((int32_t)1 << 19)),
        .rshift = set_all(-p->lshift[2]),
        .range = range_of(p->y_min, p->y_max),
    };
}

PACKED_INLINE vec_t half_sum_of(const int8_t *x1, const int8_t *x2, const half_add_t *a) {
    const vec_t first = add(shift_left(widened(x1), 19), a->sum_zero);
    const vec_t twice = shift_left(widened(x2), 21);
    const vec_t second = shift_right(mul_high_from_zero(twice, &a->input), a->input_rshift);
    return shift_right(mul_high_sum(add(first, second), &a->output), a->rshift);
}

PACKED_INLINE void half_add_vectors(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                    const half_add_t *a) {
    for (uint32_t i = 0; i < n; i += 4 * LANES, x1 += 4 * LANES, x2 += 4 * LANES) {
        put_4(y + i, half_sum_of(x1, x2, a), half_sum_of(x1 + LANES, x2 + LANES, a),
              half_sum_of(x1 + 2 * LANES, x2 + 2 * LANES, a),
              half_sum_of(x1 + 3 * LANES, x2 + 3 * LANES, a), a->range);
    }
}

/* Which input is multiplied by 1/2, if it is the usual addition, with the sum shifted by few enough
 * bits to add the zero point before; else -1. */
static int half_of(const bp_add_t *p) {
    for (int i = 0; i < 2; ++i) {
        if (!p->subtract && p->mult_q31[i] == (int32_t)1 << 30 && p->lshift[i] == 0 &&
            p->lshift[1 - i] < 0 && p->lshift[2] < 0 && p->lshift[2] >= -22) {
            return i;
        }
    }
    return -1;
}

static PACKED_TARGET void add_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                 const bp_add_t *p) {
    const uint32_t whole = n & ~(uint32_t)(4 * LANES - 1);
    const int half = half_of(p);
    if (half >= 0) {
        const half_add_t a = half_add_of(p, half);
        half_add_vectors(y, half == 0 ? x1 : x2, half == 0 ? x2 : x1, whole, &a);
    } else if (p->subtract) {
        add_vectors(y, x1, x2, whole, p, 1);
    } else {
        add_vectors(y, x1, x2, whole, p, 0);
    }
    bp_add_elements_s8(y + whole, x1 + whole, x2 + whole, n - whole, p);
}

/* ---- mul ---- */

typedef struct {
    rescale_t output;
    vec_t x_zp[2], y_zp;
    range_t range;
} mul_t;

PACKED_INLINE vec_t product_of(const int8_t *x1, const int8_t *x2, const mul_t *m) {
    const vec_t product =
        mul(sub(widened(x1), m->x_zp[0]), sub(widened(x2), m->x_zp[1]));
    return add(rescaled(product, &m->output), m->y_zp);
}

static PACKED_TARGET void mul_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                 const bp_mul_t *p) {
    const uint32_t whole = p->lshift > 0 ? 0 : n & ~(uint32_t)(4 * LANES - 1);
    const mul_t m = {
        .output = rescale_of(p->mult_q31, p->lshift > 0 ? 0 : p->lshift),
        .x_zp = {set_all(p->x_zp[0]), set_all(p->x_zp[1])},
        .y_zp = set_all(p->y_zp),
        .range = range_of(p->y_min, p->y_max),
    };
    for (uint32_t i = 0; i < whole; i += 4 * LANES) {
        put_4(y + i, product_of(x1 + i, x2 + i, &m), product_of(x1 + i + LANES, x2 + i + LANES, &m),
              product_of(x1 + i + 2 * LANES, x2 + i + 2 * LANES, &m),
              product_of(x1 + i + 3 * LANES, x2 + i + 3 * LANES, &m), m.range);
    }
    bp_mul_elements_s8(y + whole, x1 + whole, x2 + whole, n - whole, p);
}

#endif
