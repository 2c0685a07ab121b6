/* bp_rescale_8: every byte under many scalings, apart and in place. */
#include <byteprop/kernels.h>
#include <string.h>

#include "check.h"

static int64_t value_by_definition(uint8_t byte, const bp_rescale_t *p) {
    int64_t x = p->x_unsigned ? byte : (int64_t)(int8_t)byte;
    int64_t y = requant_by_definition(x - p->x_zp, p->mult_q31, p->lshift);
    y = (int32_t)(uint32_t)(uint64_t)(y + p->y_zp);
    return y < p->y_min ? p->y_min : (y > p->y_max ? p->y_max : y);
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
    }
    uint8_to_int8();
    return 0;
}
