#include "real.h"

#include "divide.h"

#define SIGN 0x80000000u
#define MANTISSA_BITS 23
#define HIDDEN ((uint32_t)1 << MANTISSA_BITS)
#define BIAS 127
#define FIXED_MAX 0x7FFFFFFF

static int16_t exponent_of(uint32_t value) {
    return (int16_t)(value >> MANTISSA_BITS & 0xFFu);
}

static uint32_t mantissa_of(uint32_t value) {
    return (value & (HIDDEN - 1u)) | HIDDEN;
}

/* number * 2^shift, halves upwards. Bit by bit: 64-bit shifts by a variable need a library. */
static uint64_t scaled(uint64_t number, int16_t shift) {
    for (; shift > 0; shift--) {
        number <<= 1;
    }
    for (; shift < -1; shift++) {
        number >>= 1;
    }
    return shift < 0 ? (number + 1u) >> 1 : number;
}

/* The float32 mantissa, 24 bits, of the quotient of two mantissas: rounded to nearest, halves to
 * even. *exponent becomes 0 or -1, or stays so after a carry to 25 bits, which is exact. */
static uint32_t divided(uint32_t dividend, uint32_t divisor, int16_t *exponent) {
    *exponent = dividend < divisor ? -1 : 0;
    uint64_t quotient = (uint64_t)(dividend < divisor ? dividend << 1 : dividend)
                        << (MANTISSA_BITS + 1);
    const uint32_t has_rest = mlperf_divide(&quotient, divisor) != 0;
    const uint32_t bits = (uint32_t)quotient; /* 25, the last one for rounding */
    const uint32_t whole = bits >> 1;
    return whole + (bits & 1u & (has_rest | (whole & 1u)));
}

/* round(fl32(|value| / scale)), at most 0x200. */
static int32_t rounded_quotient(uint32_t value, uint32_t scale) {
    const int16_t distance = (int16_t)(exponent_of(value) - exponent_of(scale));
    if (exponent_of(value) == 0 || distance < -1) {
        return 0; /* the quotient is below 1/2; a subnormal value is taken as 0 */
    }
    if (distance > 8) {
        return 0x200; /* at least 256, which saturates at any zero point */
    }
    int16_t exponent;
    const uint32_t mantissa = divided(mantissa_of(value), mantissa_of(scale), &exponent);
    return (int32_t)scaled(mantissa, (int16_t)(exponent + distance - MANTISSA_BITS));
}

int8_t mlperf_quantize(uint32_t value, uint32_t scale, int32_t zero_point) {
    const int32_t quotient = rounded_quotient(value, scale);
    const int32_t code = (value & SIGN ? -quotient : quotient) + zero_point;
    return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
}

int32_t mlperf_fixed(uint32_t value, int32_t factor, uint8_t fraction) {
    const uint32_t size = factor < 0 ? 0u - (uint32_t)factor : (uint32_t)factor;
    const uint64_t product = (uint64_t)mantissa_of(value) * size; /* 48 bits */
    const int16_t shift = (int16_t)(exponent_of(value) - BIAS - MANTISSA_BITS + fraction);
    if (exponent_of(value) == 0 || product == 0 || shift < -48) {
        return 0;
    }
    uint64_t result = shift > 8 ? FIXED_MAX : scaled(product, shift);
    if (result > FIXED_MAX) {
        result = FIXED_MAX;
    }
    return (value & SIGN ? 1 : 0) ^ (factor < 0) ? -(int32_t)result : (int32_t)result;
}
