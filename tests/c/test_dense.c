/* bp_dense_s8 and the primitives below it, of every instruction set that this CPU has, against
 * sums in 64 bits. All buffers have exactly the bytes that the contract allows to touch. */
#include <byteprop/kernels.h>
#include <byteprop/status.h>
#include <string.h>

#include "check.h"

typedef struct {
    bp_dense_s8_t layer;
    uint8_t *weights;
    int32_t *bias;
    int32_t *mult_q31;
    int8_t *lshift;
    int8_t *x_block;
    int8_t *x;
    int8_t *y;
} case_t;

static int8_t extreme_or_any(void) {
    switch (random_below(4)) {
    case 0:
        return -128;
    case 1:
        return 127;
    default:
        return (int8_t)random_u32();
    }
}

static case_t make_case(uint16_t n_in, uint16_t n_out, uint8_t per_channel, size_t misaligned) {
    case_t c;
    uint16_t stride = (uint16_t)((n_in + 3) & ~3);
    size_t channels = per_channel ? n_out : 1;
    c.weights = exact_bytes((size_t)n_out * stride);
    memset(c.weights, 0, (size_t)n_out * stride);
    c.bias = exact_bytes(4 * (size_t)n_out);
    c.mult_q31 = exact_bytes(4 * channels);
    c.lshift = exact_bytes(channels);
    c.x_block = exact_bytes(misaligned + n_in);
    c.x = c.x_block + misaligned;
    c.y = exact_bytes(n_out);
    for (uint16_t j = 0; j < n_out; ++j) {
        for (uint16_t i = 0; i < n_in; ++i) {
            c.weights[j * stride + i] = (uint8_t)extreme_or_any();
        }
        c.bias[j] = (int32_t)random_u32() >> random_below(20);
    }
    for (size_t k = 0; k < channels; ++k) {
        c.mult_q31[k] = random_below(8) == 0 ? 0 : random_mult_q31();
        c.lshift[k] = (int8_t)((int)random_below(30) - 24);
    }
    for (uint16_t i = 0; i < n_in; ++i) {
        c.x[i] = extreme_or_any();
    }
    int8_t low = (int8_t)random_u32(), high = (int8_t)random_u32();
    bp_dense_s8_t layer = {c.weights,
                           (const uint8_t *)c.bias,
                           (const uint8_t *)c.mult_q31,
                           (const uint8_t *)c.lshift,
                           n_in,
                           n_out,
                           stride,
                           per_channel,
                           (int8_t)random_u32(),
                           low < high ? low : high,
                           low < high ? high : low,
                           0};
    c.layer = layer;
    return c;
}

static void free_case(case_t *c) {
    free(c->weights);
    free(c->bias);
    free(c->mult_q31);
    free(c->lshift);
    free(c->x_block);
    free(c->y);
}

static int64_t dot_by_definition(const int8_t *x, const uint8_t *row, uint16_t n_in) {
    int64_t sum = 0;
    for (uint16_t i = 0; i < n_in; ++i) {
        sum += (int64_t)(int8_t)row[i] * x[i];
    }
    return sum;
}

static int64_t output_by_definition(const case_t *c, uint16_t j) {
    const bp_dense_s8_t *p = &c->layer;
    int64_t sum = c->bias[j] + dot_by_definition(c->x, c->weights + j * p->row_stride, p->n_in);
    size_t channel = p->per_channel ? j : 0;
    int64_t value = requant_by_definition((int32_t)(uint32_t)(uint64_t)sum, c->mult_q31[channel],
                                          c->lshift[channel]);
    value = (int32_t)(uint32_t)(uint64_t)(value + p->y_zp);
    return value < p->y_min ? p->y_min : (value > p->y_max ? p->y_max : value);
}

static void check_dense(uint16_t n_in, uint16_t n_out, uint8_t per_channel, size_t misaligned) {
    case_t c = make_case(n_in, n_out, per_channel, misaligned);
    bp_dense_s8(c.y, c.x, &c.layer);
    for (uint16_t j = 0; j < n_out; ++j) {
        CHECK_EQ(c.y[j], output_by_definition(&c, j));
    }
    free_case(&c);
}

static void all_small_shapes(void) {
    for (uint16_t n_in = 1; n_in <= 140; ++n_in) {
        for (uint16_t n_out = 1; n_out <= 9; ++n_out) {
            check_dense(n_in, n_out, n_out & 1, n_in & 3);
        }
    }
}

static void large_shapes(void) {
    for (uint16_t n_in = 500; n_in < 2000; n_in = (uint16_t)(n_in + 97)) {
        check_dense(n_in, 7, 1, 1);
    }
    check_dense(784, 20, 0, 0);
    check_dense(3, 1000, 1, 0);
}

/* The largest sum that the limits allow: 65532 * 128 * 128, just below 2^31. */
static void longest_row(void) {
    enum { N_IN = 65532 };
    uint8_t *weights = exact_bytes((size_t)4 * N_IN);
    int8_t *x = exact_bytes(N_IN);
    int32_t acc[4];
    memset(weights, 0x80, (size_t)4 * N_IN);
    memset(weights + 2 * (size_t)N_IN, 0x7F, N_IN);
    memset(x, 0x80, N_IN);
    bp_dot_rows_s8(acc, x, weights, N_IN, N_IN);
    for (int r = 0; r < 4; ++r) {
        CHECK_EQ(acc[r], dot_by_definition(x, weights + (size_t)r * N_IN, N_IN));
    }
    int8_t y[5];
    const int32_t bias[5] = {0, 0, 0, 0, 0}, mult_q31 = 1 << 30;
    const int8_t lshift = -22;
    bp_dense_s8_t layer = {weights,
                           (const uint8_t *)bias,
                           (const uint8_t *)&mult_q31,
                           (const uint8_t *)&lshift,
                           N_IN,
                           4,
                           N_IN,
                           0,
                           0,
                           -128,
                           127,
                           0};
    bp_dense_s8(y, x, &layer);
    CHECK_EQ(y[0], 127);
    CHECK_EQ(y[2], -127);
    free(weights);
    free(x);
}

int main(void) {
    const char *name;
    for (int i = 0; (name = bp_isa_available(i)) != NULL; ++i) {
        CHECK_EQ(bp_isa_select(name), BP_OK);
        CHECK(strcmp(bp_isa_name(), name) == 0);
        printf("%s\n", name);
        all_small_shapes();
        large_shapes();
        longest_row();
    }
    CHECK_EQ(bp_isa_select("no such thing"), BP_E_UNSUPPORTED);
    CHECK_EQ(bp_isa_select(""), BP_E_UNSUPPORTED);
    return 0;
}
