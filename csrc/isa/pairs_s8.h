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

/* As bp_requant, of 2 * x. |x| < 2^29: what is added for the rounding does not overflow. shifts: the
 * shift is not by 0. */
PACKED_INLINE vec_t rescaled_twice(vec_t twice, const rescale_t *r, int shifts) {
    const vec_t below = shifts ? sign(twice) : both(sign(twice), r->has_shift);
    return shift_right(add(mul_high_twice(twice, r->mult), add(below, r->rounding)), r->rshift);
}

PACKED_INLINE vec_t rescaled(vec_t x, const rescale_t *r, int shifts) {
    return rescaled_twice(add(x, x), r, shifts);
}

/* ---- add ---- */

typedef struct {
    rescale_t input[2], output;
    vec_t x_zp[2], y_zp;
    range_t range;
} add_t;

/* The input with the larger scale is multiplied by 1/2, which needs no rounding; then the other one
 * is shifted, by one bit at least. */
PACKED_INLINE vec_t term(const int8_t *x, const add_t *a, int operand, int halves) {
    const vec_t value = sub(widened(x), a->x_zp[operand]);
    return halves >> operand & 1
               ? shift_left(value, 19)
               : rescaled_twice(shift_left(value, 21), &a->input[operand], halves != 0);
}

PACKED_INLINE vec_t sum_of(const int8_t *x1, const int8_t *x2, const add_t *a, int halves,
                           int subtract) {
    const vec_t first = term(x1, a, 0, halves), second = term(x2, a, 1, halves);
    const vec_t sum = subtract ? sub(first, second) : add(first, second);
    const vec_t y = rescaled(sum, &a->output, halves != 0);
    return halves != 0 ? y : add(y, a->y_zp);
}

PACKED_INLINE void add_vectors(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                               const add_t *a, int halves, int subtract) {
    for (uint32_t i = 0; i < n; i += 4 * LANES, x1 += 4 * LANES, x2 += 4 * LANES) {
        put_4(y + i, sum_of(x1, x2, a, halves, subtract),
              sum_of(x1 + LANES, x2 + LANES, a, halves, subtract),
              sum_of(x1 + 2 * LANES, x2 + 2 * LANES, a, halves, subtract),
              sum_of(x1 + 3 * LANES, x2 + 3 * LANES, a, halves, subtract), a->range);
    }
}

/* Which input is multiplied by 1/2, as 1 or 2, if the other and the sum are shifted, the sum by few
 * enough bits to add the zero point before; 0: none of it. */
static int halves_of(const bp_add_t *p) {
    for (int i = 0; i < 2; ++i) {
        if (p->mult_q31[i] == (int32_t)1 << 30 && p->lshift[i] == 0 && p->lshift[1 - i] < 0 &&
            p->lshift[2] < 0 && p->lshift[2] >= -22) {
            return 1 << i;
        }
    }
    return 0;
}

static PACKED_TARGET void add_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                                 const bp_add_t *p) {
    const uint32_t whole = n & ~(uint32_t)(4 * LANES - 1);
    const int halves = p->subtract ? 0 : halves_of(p);
    add_t a = {
        .input = {rescale_of(p->mult_q31[0], p->lshift[0]),
                  rescale_of(p->mult_q31[1], p->lshift[1])},
        .output = rescale_of(p->mult_q31[2], p->lshift[2]),
        .x_zp = {set_all(p->x_zp[0]), set_all(p->x_zp[1])},
        .y_zp = set_all(p->y_zp),
        .range = range_of(p->y_min, p->y_max),
    };
    if (halves != 0) {
        a.output.rounding = set_all(bp_short_rounding(p->y_zp, (uint8_t)-p->lshift[2]));
    }
    if (p->subtract) {
        add_vectors(y, x1, x2, whole, &a, 0, 1);
    } else if (halves == 1) {
        add_vectors(y, x1, x2, whole, &a, 1, 0);
    } else if (halves == 2) {
        add_vectors(y, x1, x2, whole, &a, 2, 0);
    } else {
        add_vectors(y, x1, x2, whole, &a, 0, 0);
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
    return add(rescaled(product, &m->output, 0), m->y_zp);
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
