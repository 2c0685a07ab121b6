#include "train/real.h"

enum { F32_MANTISSA_BITS = 23, F32_TO_REAL_EXPONENT = -126 };

bp_real_t bp_real_from_f32(uint32_t bits) {
    uint32_t fraction = bits & (((uint32_t)1 << F32_MANTISSA_BITS) - 1);
    bp_real_t r = {(fraction | (uint32_t)1 << F32_MANTISSA_BITS) << 7,
                   (int16_t)((int16_t)(bits >> F32_MANTISSA_BITS) + F32_TO_REAL_EXPONENT)};
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
    bp_real_t r = {(uint32_t)(product >> 31), (int16_t)(a.e + b.e)};
    if (product != 0 && !(r.m >> 30)) {
        r.m = (uint32_t)(product >> 30);
        --r.e;
    }
    return r;
}

bp_real_t bp_real_div(bp_real_t a, bp_real_t b) {
    /* One bit a step instead of a 64-bit division, which would be the only one in the firmware:
     * remainder < b.m throughout, so it fits. a.m / b.m lies between 1/2 and 2. */
    bp_real_t r = {0, (int16_t)(a.e - b.e)};
    uint32_t remainder = a.m;
    uint8_t bits = 31;
    if (a.m >= b.m) {
        r.m = 1;
        remainder -= b.m;
        bits = 30;
        ++r.e;
    }
    for (; bits != 0; --bits) {
        remainder <<= 1;
        r.m <<= 1;
        if (remainder >= b.m) {
            remainder -= b.m;
            r.m |= 1;
        }
    }
    return r;
}

bp_real_t bp_real_scale(bp_real_t a, int16_t k) {
    a.e = (int16_t)(a.e + k);
    return a;
}

static int32_t saturated(int64_t x, int32_t limit) {
    return x > limit ? limit : (x < -(int64_t)limit ? -limit : (int32_t)x);
}

int32_t bp_real_apply(int32_t x, bp_real_t a, int32_t limit) {
    int64_t product = (int64_t)x * a.m;
    int16_t rshift = (int16_t)(31 - a.e);
    if (product == 0 || rshift > 62) {
        return 0; /* |product| < 2^62: less than half */
    }
    if (rshift > 0) {
        return saturated((product + ((int64_t)1 << (rshift - 1))) >> rshift, limit);
    }
    /* A product that is not zero is 2^30 at least; so is the result, and limits go up to 2^31. */
    if (rshift < -1) {
        return product > 0 ? limit : -limit;
    }
    return saturated(product * ((int64_t)1 << -rshift), limit);
}
