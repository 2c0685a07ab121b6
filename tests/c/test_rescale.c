/* bp_rescale_8 and bp_rescale_16: every byte under many scalings, apart and in place. */
#include <byteprop/kernels.h>
#include <string.h>

#include "check.h"

static int64_t value_of(int64_t x, const bp_rescale_t *p) {
    int64_t y = requant_by_definition(x - p->x_zp, p->mult_q31, p->lshift);
    y = (int32_t)(uint32_t)(uint64_t)(y + p->y_zp);
    return y < p->y_min ? p->y_min : (y > p->y_max ? p->y_max : y);
}

static int64_t value_by_definition(uint8_t byte, const bp_rescale_t *p) {
    return value_of(p->x_unsigned ? byte : (int64_t)(int8_t)byte, p);
}

static bp_rescale_t any_scaling(uint8_t x_unsigned, uint8_t y_unsigned) {
    int16_t x_low = x_unsigned ? 0 : -128, y_low = y_unsigned ? 0 : -128;
    int16_t a = (int16_t)(y_low + (int)random_below(256));
    int16_t b = (int16_t)(y_low + (int)random_below(256));
    bp_rescale_t p = {random_mult_q31(),
                      (int8_t)((int)random_below(62) - 31),
                      x_unsigned,
                      y_unsigned,
                      (int16_t)(x_low + (int)random_below(256)),
                      (int16_t)(y_low + (int)random_below(256)),
                      a < b ? a : b,
                      a < b ? b : a};
    return p;
}

/* Of int16, apart and in place. */
static void check_int16(void) {
    uint8_t x[256], y[128];
    bp_rescale_t p = any_scaling(0, 0);
    p.x_zp = 0;
    for (int i = 0; i < 256; ++i) {
        x[i] = (uint8_t)random_below(256);
    }
    memcpy(x, "\x00\x80\xff\x7f\xff\xff\x00\x00", 8);
    bp_rescale_16(y, x, 128, &p);
    for (int i = 0; i < 128; ++i) {
        int64_t value = x[2 * i] + 256 * (int64_t)(int8_t)x[2 * i + 1];
        CHECK_EQ((int8_t)y[i], value_of(value, &p));
    }
    bp_rescale_16(x, x, 128, &p);
    CHECK(memcmp(x, y, 128) == 0);
}

static void check_all_bytes(const bp_rescale_t *p) {
    uint8_t x[256], y[256];
    for (int i = 0; i < 256; ++i) {
        x[i] = (uint8_t)i;
    }
    bp_rescale_8(y, x, 256, p);
    for (int i = 0; i < 256; ++i) {
        int64_t got = p->y_unsigned ? y[i] : (int64_t)(int8_t)y[i];
        CHECK_EQ(got, value_by_definition(x[i], p));
    }
    bp_rescale_8(x, x, 256, p);
    CHECK(memcmp(x, y, 256) == 0);
}

/* uint8 to int8 of the same scale is a shift of the zero point: y = x - 128. */
static void uint8_to_int8(void) {
    const bp_rescale_t p = {1 << 30, 1, 1, 0, 128, 0, -128, 127};
    uint8_t x[3] = {0, 128, 255};
    bp_rescale_8(x, x, 3, &p);
    CHECK_EQ((int8_t)x[0], -128);
    CHECK_EQ((int8_t)x[1], 0);
    CHECK_EQ((int8_t)x[2], 127);
}

int main(void) {
    for (int i = 0; i < 4000; ++i) {
        bp_rescale_t p = any_scaling(i & 1, (i >> 1) & 1);
        check_all_bytes(&p);
        check_int16();
    }
    uint8_to_int8();
    return 0;
}
