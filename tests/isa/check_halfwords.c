/* Dense layers as rows of halfwords, and with the flag FAST, against bp_dense_s8 without it. */
#include "check.h"

#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/kernels.h>

enum { SHAPES = 400, MAX_OUT = 70, GUARD = 77 };

static uint32_t state;
static uint32_t comparisons;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static int32_t between(int32_t lowest, int32_t highest) {
    return lowest + (int32_t)below((uint32_t)(highest - lowest + 1));
}

typedef struct {
    int32_t bias[MAX_OUT];
    int32_t bias_of_halfwords[MAX_OUT];
    int32_t mult_q31[MAX_OUT];
    int8_t lshift[MAX_OUT];
} channels_t;

static void fill_channels(channels_t *c, uint32_t n, uint32_t n_in) {
    const int32_t limit = ((int32_t)1 << 28) - (int32_t)128 * 127 * (int32_t)n_in - 8192;
    for (uint32_t j = 0; j < n; ++j) {
        uint32_t kind = below(8);
        c->bias[j] = kind == 0   ? limit
                     : kind == 1 ? -limit
                                 : between(-(1 << 12), 1 << 12) * (kind < 4 ? 1 << 12 : 4);
        c->mult_q31[j] = kind == 2 ? INT32_MAX : ((int32_t)1 << 30) + between(0, (int32_t)1 << 24) * 63;
        c->lshift[j] = (int8_t)(kind < 4 ? -between(15, 22) : -between(1, 11));
    }
}

/* Extremes: all columns with the largest products, which may cancel each other. */
static int8_t byte_of(uint32_t pattern, int8_t lowest) {
    switch (pattern) {
    case 1:
        return lowest;
    case 2:
        return 127;
    case 3:
        return below(2) ? lowest : 127;
    default:
        return (int8_t)between(lowest, 127);
    }
}

static void fill_rows(uint8_t *rows, uint32_t n_out, uint32_t n_in, uint32_t row_stride,
                      uint32_t pattern) {
    for (uint32_t j = 0; j < n_out; ++j) {
        for (uint32_t i = 0; i < row_stride; ++i) {
            rows[j * row_stride + i] = (uint8_t)(i < n_in ? byte_of(pattern, -127) : 0);
        }
    }
}

/* As docs/format.md has it. */
static void to_halfwords(uint8_t *halfwords, channels_t *c, const uint8_t *rows, uint32_t n_out,
                         uint32_t row_stride) {
    const uint32_t in_blocks = n_out / 4 * 4;
    for (uint32_t j = 0; j < n_out; ++j) {
        const int8_t *row = (const int8_t *)rows + j * row_stride;
        int32_t even = 0;
        for (uint32_t i = 0; i < row_stride; i += 2) {
            const int32_t halfword = 256 * row[i + 1] + row[i];
            uint32_t at = j * row_stride + i;
            if (j < in_blocks) {
                at = j / 4 * 4 * row_stride + i / 4 * 16 + j % 4 * 4 + i % 4;
            }
            halfwords[at] = (uint8_t)halfword;
            halfwords[at + 1] = (uint8_t)(halfword >> 8);
            even += row[i];
        }
        c->bias_of_halfwords[j] = c->bias[j] - (127 * even >> 8);
    }
}

static void compare(const char *what, const int8_t *expected, const int8_t *got, uint32_t n,
                    uint32_t number, check_report_t *report) {
    for (uint32_t i = 0; i < n; ++i) {
        ++comparisons;
        if (expected[i] != got[i]) {
            report(what, number);
            return;
        }
    }
    if (got[n] != GUARD) {
        report("dense, beyond y, shape", number);
    }
}

/* The primitive alone: what is put into columns has one form. */
static void check_columns(const int8_t *x, uint32_t n, uint32_t number, check_report_t *report) {
    static uint32_t portable[160 / 2], tuned[160 / 2];
    for (uint32_t begin = 0; begin < n; begin += 160) {
        const uint16_t part = (uint16_t)(n - begin < 160 ? n - begin : 160);
        bp_halfword_columns_s8(portable, x + begin, part);
        BP_ISA_HALFWORD_COLUMNS(tuned, x + begin, part);
        for (uint32_t i = 0; i < (part + 3u) / 4 * 2; ++i) {
            ++comparisons;
            if (portable[i] != tuned[i]) {
                report("halfword columns, shape", number);
                return;
            }
        }
    }
}

static void check_shape(check_buffer_t *buffer, check_report_t *report, uint32_t number) {
    static int8_t expected[MAX_OUT + 1], got[MAX_OUT + 1];
    static channels_t channels;
    const uint32_t n_in = number < 80 ? number + 1 : 1 + below(CHECK_X_BYTES - 4) / (1 + below(9));
    const uint32_t row_stride = (n_in + 3) / 4 * 4, most = CHECK_WEIGHT_BYTES / row_stride;
    const uint32_t n_out = 1 + below(most < MAX_OUT ? most : MAX_OUT), offset = number % 4;
    int8_t *x = (int8_t *)buffer(0, offset + n_in) + offset;
    uint8_t *rows = buffer(1, n_out * row_stride), *halfwords = buffer(2, n_out * row_stride);
    for (uint32_t i = 0; i < n_in; ++i) {
        x[i] = byte_of(number % 7 < 4 ? 0 : number % 4, -128);
    }
    /* Beyond 511 weights of 127, sums could leave 32 bits. */
    fill_rows(rows, n_out, n_in, row_stride, number % 5 < 3 || n_in > 511 ? 0 : number / 5 % 4);
    fill_channels(&channels, n_out, n_in);
    bp_dense_s8_t p = {
        .weights = rows,
        .bias = (const uint8_t *)channels.bias,
        .mult_q31 = (const uint8_t *)channels.mult_q31,
        .lshift = (const uint8_t *)channels.lshift,
        .n_in = (uint16_t)n_in,
        .n_out = (uint16_t)n_out,
        .row_stride = (uint16_t)row_stride,
        .per_channel = number % 3 != 0,
        .y_zp = (int8_t)(below(3) == 0 ? -128 : between(-128, 127)),
        .y_min = (int8_t)(number % 4 == 0 ? -100 : -128),
        .y_max = (int8_t)(number % 4 == 0 ? 90 : 127),
    };
    bp_dense_s8(expected, x, &p);
    expected[n_out] = got[n_out] = GUARD;
    p.fast = 1;
    bp_dense_s8(got, x, &p);
    compare("FAST dense, shape", expected, got, n_out, number, report);
    to_halfwords(halfwords, &channels, rows, n_out, row_stride);
    p.weights = halfwords;
    p.bias = (const uint8_t *)channels.bias_of_halfwords;
    bp_dense_halfwords_s8(got, x, &p);
    compare("dense of halfwords, shape", expected, got, n_out, number, report);
    check_columns(x, n_in, number, report);
}

uint32_t check_halfwords(check_buffer_t *buffer, check_report_t *report) {
    state = 1;
    comparisons = 0;
    for (uint32_t number = 0; number < SHAPES; ++number) {
        check_shape(buffer, report, number);
    }
    return comparisons;
}
