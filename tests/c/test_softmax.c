/* bp_softmax_s8: what must hold whatever the bits are. That the bits are TensorFlow Lite's is
 * tested in Python beside TensorFlow Lite. */
#include <byteprop/kernels.h>
#include <string.h>

#include "check.h"

static int32_t table[256];

/* The range of Q5.26 is left where diff_min says. */
static void make_table(int8_t lshift) {
    int32_t diff_min = -(int32_t)(((int64_t)31 << 26) >> lshift);
    bp_softmax_exp_table(table, 1 << 30, lshift, diff_min);
    CHECK_EQ(table[0], INT32_MAX);
    for (int d = 1; d < 256; ++d) {
        CHECK(table[d] >= 0 && table[d] <= table[d - 1]);
        CHECK(-d >= diff_min || table[d] == 0);
    }
}

static void softmax(int8_t *y, const int8_t *x, uint16_t n) {
    bp_softmax_s8(y, x, (const uint8_t *)table, n);
}

/* Shares of 256 add up to 256 but for one rounding each, order follows the logits, in place gives
 * the same. */
static void check_logits(const int8_t *x, uint16_t n) {
    int8_t *y = exact_bytes(n), *same = exact_bytes(n);
    memcpy(same, x, n);
    softmax(y, x, n);
    softmax(same, same, n);
    CHECK(memcmp(y, same, n) == 0);
    int32_t sum = 0, saturated = 0;
    for (uint16_t i = 0; i < n; ++i) {
        sum += y[i] + 128;
        saturated += y[i] == 127;
        CHECK(i == 0 || (x[i] >= x[i - 1]) == (y[i] >= y[i - 1]) || y[i] == y[i - 1]);
    }
    CHECK(sum <= 256 + n / 2 + 1);
    CHECK(n > 128 || saturated != 0 || sum >= 256 - n / 2 - 2);
    free(y);
    free(same);
}

static void any_logits(void) {
    for (int i = 0; i < 2000; ++i) {
        uint16_t n = (uint16_t)(1 + random_below(i < 1900 ? 40 : 4095));
        int8_t *x = exact_bytes(n);
        for (uint16_t k = 0; k < n; ++k) {
            x[k] = (int8_t)((int8_t)random_u32() / (1 << random_below(5)));
        }
        make_table((int8_t)random_below(31));
        check_logits(x, n);
        free(x);
    }
}

static void equal_logits(void) {
    static const uint16_t counts[] = {1, 2, 3, 4, 128, 256, 510, 511, 512, 513, 1000, 4095};
    make_table(22);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; ++i) {
        uint16_t n = counts[i];
        int8_t *x = exact_bytes(n);
        memset(x, 0x80, n);
        check_logits(x, n);
        softmax(x, x, n);
        int share = n < 512 ? (256 + n / 2) / n : 0;
        CHECK_EQ(x[n - 1], share > 255 ? 127 : share - 128);
        free(x);
    }
}

/* Only differences count. */
static void shifted_logits(void) {
    const int8_t x[4] = {-128, -100, -90, -28}, shifted[4] = {-1, 27, 37, 99};
    int8_t y[4], y_shifted[4];
    make_table(24);
    softmax(y, x, 4);
    softmax(y_shifted, shifted, 4);
    CHECK(memcmp(y, y_shifted, 4) == 0);
}

int main(void) {
    any_logits();
    equal_logits();
    shifted_logits();
    return 0;
}
