#include "train/real.h"

#include "isa/isa.h"

enum { F32_MANTISSA_BITS = 23, F32_TO_REAL_EXPONENT = -126 };

bp_real_t bp_real_from_f32(uint32_t bits) {
    uint32_t fraction = bits & (((uint32_t)1 << F32_MANTISSA_BITS) - 1);
    bp_real_t r = {(fraction | (uint32_t)1 << F32_MANTISSA_BITS) << 7,
                   (int32_t)(bits >> F32_MANTISSA_BITS) + F32_TO_REAL_EXPONENT};
    return r;
}

bp_real_t bp_real_from_u32(uint32_t n) {
    bp_real_t r = {n, 31};
    if (n == 0) {
        return r;
    }
    if (r.m >> 31) {
        r.m >>= 1;
        ++r.e;
    }
    while (!(r.m >> 30)) {
        r.m <<= 1;
        --r.e;
    }
    return r;
}

bp_real_t bp_real_mul(bp_real_t a, bp_real_t b) {
    uint64_t product = (uint64_t)a.m * b.m;
    bp_real_t r = {(uint32_t)(product >> 31), a.e + b.e};
    if (product != 0 && !(r.m >> 30)) {
        r.m = (uint32_t)(product >> 30);
        --r.e;
    }
    return r;
}

#if UINTPTR_MAX > 0xFFFFFFFF
static uint32_t quotient(uint32_t a, uint32_t b, int32_t *e) {
    uint64_t q = ((uint64_t)a << 31) / b;
    *e += (int32_t)(q >> 31);
    return (uint32_t)(q >> (q >> 31));
}
#else
/* One bit a step instead of a 64-bit division, which would be the only one in the firmware:
 * remainder < b throughout, so it fits. a / b lies between 1/2 and 2, or a is 0. */
static uint32_t quotient(uint32_t a, uint32_t b, int32_t *e) {
    uint32_t q = 0;
    uint8_t bits = 31;
    if (a >= b) {
        q = 1;
        a -= b;
        bits = 30;
        ++*e;
    }
    for (; bits != 0; --bits) {
        a <<= 1;
        q <<= 1;
        if (a >= b) {
            a -= b;
            q |= 1;
        }
    }
    return q;
}
#endif

bp_real_t bp_real_div(bp_real_t a, bp_real_t b) {
    bp_real_t r = {0, a.e - b.e};
    r.m = quotient(a.m, b.m, &r.e);
    return r;
}

bp_real_t bp_real_scale(bp_real_t a, int32_t k) {
    a.e += k;
    return a;
}

int32_t bp_saturated(int64_t x, int32_t limit) {
    return x > limit ? limit : (x < -(int64_t)limit ? -limit : (int32_t)x);
}

static inline int32_t bounded(int32_t x, int32_t limit) {
    return x > limit ? limit : (x < -limit ? -limit : x);
}

#if UINTPTR_MAX == 0xFFFFFFFF
#define SKIPS_ZEROS 1
/* (x + half) >> rshift of 1 to 31, half = 2^(rshift - 1). */
static inline int32_t narrowed(int64_t x, uint32_t half, uint8_t rshift, int32_t limit) {
    const uint32_t low = (uint32_t)x, sum = low + half;
    const int32_t high = (int32_t)(x >> 32) + (sum < low);
    if ((uint32_t)high + half >= 2 * half) {
        return high < 0 ? -limit : limit; /* it has more than 32 bits */
    }
    return bounded((int32_t)((uint32_t)high << (32 - rshift) | sum >> rshift), limit);
}

/* By words: where 64 bits have two of them, shifts of these cost more than all the rest. */
static int32_t shifted(int64_t x, uint8_t rshift, int32_t limit) {
    const uint32_t low = (uint32_t)x;
    int32_t high = (int32_t)(x >> 32);
    if (rshift > 32) {
        return bounded((high + ((int32_t)1 << (rshift - 33))) >> (rshift - 32), limit);
    }
    if (rshift == 32) {
        return bounded(high + (low >> 31 != 0), limit);
    }
    return narrowed(x, (uint32_t)1 << (rshift - 1), rshift, limit);
}
#else
#define SKIPS_ZEROS 0 /* flash is scarcer than time, or a product is fast */
static inline int32_t shifted(int64_t x, uint8_t rshift, int32_t limit) {
    return bp_saturated((x + ((int64_t)1 << (rshift - 1))) >> rshift, limit);
}
#endif

#ifdef BP_ISA_ARMV6M
/* x * m, m < 2^31, in halves: the library's function multiplies 64 bits by 64. */
static inline int64_t product_of(int32_t x, uint32_t m) {
    const int32_t x_high = x >> 16, m_high = (int32_t)(m >> 16);
    const uint32_t x_low = (uint16_t)x, m_low = (uint16_t)m, low = x_low * m_low;
    const int32_t first = x_high * (int32_t)m_low + (int32_t)(low >> 16);
    const int32_t second = (int32_t)x_low * m_high + (int32_t)(uint16_t)first;
    const int32_t high = x_high * m_high + (first >> 16) + (second >> 16);
    return (int64_t)((uint64_t)(uint32_t)high << 32 | (uint32_t)second << 16 | (uint16_t)low);
}
#else
static inline int64_t product_of(int32_t x, uint32_t m) {
    return (int64_t)x * m;
}
#endif

/* |x * a| is at most 2^62. */
int32_t bp_real_apply(int32_t x, bp_real_t a, int32_t limit) {
    int64_t product = product_of(x, a.m);
    int32_t rshift = 31 - a.e;
    if (product == 0 || rshift > 62) {
        return 0; /* |product| < 2^62: less than half */
    }
    if (rshift > 0) {
        return shifted(product, (uint8_t)rshift, limit);
    }
    /* A product that is not zero is 2^30 at least; so is the result, and limits go up to 2^31. */
    if (rshift < -1) {
        return product > 0 ? limit : -limit;
    }
    return bp_saturated(product * ((int64_t)1 << -rshift), limit);
}

/* For 31 - a.e = rshift of 32 to 62, where the upper word of the product has the result. */
static void apply_upper(int32_t *x, uint32_t n, int32_t m, uint8_t rshift, int32_t limit) {
    const int64_t half = (int64_t)1 << (rshift - 1);
    const uint8_t rest = (uint8_t)(rshift - 32);
    for (uint32_t i = 0; i < n; ++i) {
        x[i] = bounded((int32_t)(((int64_t)x[i] * m + half) >> 32) >> rest, limit);
    }
}

#if SKIPS_ZEROS
/* For 31 - a.e = rshift of 1 to 31: as bp_real_apply, without what all of them have in common. */
static void apply_lower(int32_t *x, const int32_t *end, uint32_t m, uint8_t rshift, int32_t limit) {
    const uint32_t half = (uint32_t)1 << (rshift - 1);
    for (; x != end; ++x) {
        if (*x != 0) {
            *x = narrowed(product_of(*x, m), half, rshift, limit);
        }
    }
}
#endif

void bp_real_apply_all(int32_t *x, uint32_t n, bp_real_t a, int32_t limit) {
    const int32_t rshift = 31 - a.e;
    if (rshift >= 32 && rshift <= 62) {
        apply_upper(x, n, (int32_t)a.m, (uint8_t)rshift, limit);
        return;
    }
#if SKIPS_ZEROS
    if (rshift >= 1 && rshift <= 31) {
        apply_lower(x, x + (size_t)n, a.m, (uint8_t)rshift, limit);
        return;
    }
#endif
    for (uint32_t i = 0; i < n; ++i) {
        x[i] = bp_real_apply(x[i], a, limit);
    }
}
