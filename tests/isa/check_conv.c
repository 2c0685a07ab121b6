/* Convolutions in blocks of pixels against bp_conv_s8 without the flag FAST, over random shapes. */
#include "check.h"

#include "isa/isa.h"
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { SHAPES = 900, MAX_Y = 480, MAX_CHANNELS = 24, GUARD = 77 };

static uint32_t state;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

/* n bytes from -limit on; extremes make the largest sums. */
static void fill(int8_t *bytes, uint32_t n, int32_t lowest, uint32_t pattern) {
    for (uint32_t i = 0; i < n; ++i) {
        int32_t random = (int32_t)below((uint32_t)(128 - lowest)) + lowest;
        bytes[i] = (int8_t)(pattern == 0   ? random
                            : pattern == 1 ? lowest
                            : pattern == 2 ? 127
                                           : (below(2) ? lowest : 127));
    }
}

typedef struct {
    int32_t bias[MAX_CHANNELS];
    int32_t mult_q31[MAX_CHANNELS];
    int8_t lshift[MAX_CHANNELS];
} channels_t;

static int32_t signed_below(uint32_t limit) {
    return (int32_t)below(2 * limit - 1) - (int32_t)(limit - 1);
}

/* Outputs of the whole range, and the extremes that the flag FAST allows. */
static void fill_channels(channels_t *c, uint32_t n, uint32_t n_in) {
    for (uint32_t j = 0; j < n; ++j) {
        uint32_t kind = below(8);
        int32_t limit = ((int32_t)1 << 28) - (int32_t)128 * 127 * (int32_t)n_in;
        c->bias[j] = kind == 0   ? limit - 1
                     : kind == 1 ? 1 - limit
                                 : signed_below((uint32_t)1 << (kind < 4 ? 27 : 12));
        c->mult_q31[j] = kind == 2 && below(4) == 0 ? 0
                         : kind == 3                ? INT32_MAX
                                                    : (int32_t)(((uint32_t)1 << 30) + (below((uint32_t)1 << 24) << 6));
        c->lshift[j] = (int8_t)(kind < 2   ? -22
                                : kind < 4 ? -20 + (int32_t)below(6)
                                : below(2) ? -1 - (int32_t)below(22)
                                           : -6 - (int32_t)below(5));
    }
}

static void any_window(bp_window_t *w, uint32_t *x, uint32_t *y, int is_first) {
    w->kernel = (uint16_t)(is_first ? 3 : 1 + below(below(2) ? 3 : 5));
    w->stride = (uint16_t)(1 + below(3));
    w->dilation = (uint16_t)(!is_first && below(3) == 0 ? 2 : 1);
    uint32_t reach = (w->kernel - 1u) * w->dilation + 1;
    w->pad = (uint16_t)below(reach);
    *y = 1 + below(7);
    int32_t least = (int32_t)((*y - 1) * w->stride) - w->pad + 1;
    *x = (least < 1 ? 1 : (uint32_t)least) + below(reach + 2);
}

static uint32_t row_stride(const bp_conv_shape_t *s, uint16_t groups) {
    uint32_t taps = (uint32_t)s->window[0].kernel * s->window[1].kernel;
    return (taps * (s->x_channels / groups) + 3) / 4 * 4;
}

/* A shape that fits the buffers. */
static void any_shape(bp_conv_s8_t *p) {
    bp_conv_shape_t *s = &p->shape;
    do {
        const int is_first = below(5) == 0; /* 3 x 3 of one channel */
        any_window(&s->window[0], &s->x_height, &s->y_height, is_first);
        any_window(&s->window[1], &s->x_width, &s->y_width, is_first);
        p->groups = (uint16_t)(!is_first && below(3) == 0 ? 1 + below(3) : 1);
        s->batch = 1 + below(5) / 4;
        s->x_channels = is_first ? 1 : p->groups * (1 + below(below(2) ? 12 : 40));
        s->y_channels = p->groups * (1 + below(8));
    } while (s->batch * s->x_height * s->x_width * s->x_channels > CHECK_X_BYTES ||
             s->y_channels * row_stride(s, p->groups) > CHECK_WEIGHT_BYTES ||
             bp_conv_scratch(s, p->groups) > CHECK_MORE_BYTES ||
             s->batch * s->y_height * s->y_width * s->y_channels > MAX_Y);
}

static void any_range(bp_conv_s8_t *p) {
    p->x_zp = (int8_t)(below(3) == 0 ? -128 : signed_below(128));
    p->y_zp = (int8_t)(below(3) == 0 ? -128 : signed_below(128));
    p->y_min = -128;
    p->y_max = 127;
    if (below(3) == 0) {
        p->y_min = (int8_t)(-128 + (int32_t)below(100));
        p->y_max = (int8_t)(127 - (int32_t)below(100));
    }
}

static void fill_weights(uint8_t *weights, const bp_conv_s8_t *p, uint32_t pattern) {
    uint32_t stride = row_stride(&p->shape, p->groups);
    uint32_t n_in = (uint32_t)p->shape.window[0].kernel * p->shape.window[1].kernel *
                    (p->shape.x_channels / p->groups);
    for (uint32_t j = 0; j < p->shape.y_channels; ++j, weights += stride) {
        fill((int8_t *)weights, n_in, -127, pattern);
        for (uint32_t i = n_in; i < stride; ++i) {
            weights[i] = 0;
        }
    }
}

static uint32_t compare(const int8_t *expected, const int8_t *got, uint32_t n, uint32_t number,
                        check_report_t *report) {
    for (uint32_t i = 0; i < n; ++i) {
        if (expected[i] != got[i]) {
            report("conv, shape", number);
            return i;
        }
    }
    if (got[n] != GUARD) {
        report("conv, beyond y, shape", number);
    }
    return n;
}

/* The same with y over x, as near as they may be. */
static void put_over_input(int8_t *got, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p,
                           uint32_t n_x, uint32_t n_y) {
    static int8_t memory[MAX_Y + CHECK_X_BYTES];
    const uint32_t distance = bp_conv_distance(&p->shape);
    const int is_backward = bp_conv_is_backward(&p->shape);
    int8_t *from = memory + (is_backward ? 0 : distance), *to = memory + (is_backward ? distance : 0);
    if (distance + n_x > sizeof memory || distance + n_y > sizeof memory) {
        bp_conv_s8(got, x, columns, p);
        return;
    }
    for (uint32_t i = 0; i < n_x; ++i) {
        from[i] = x[i];
    }
    bp_conv_s8(to, from, columns, p);
    for (uint32_t i = 0; i < n_y; ++i) {
        got[i] = to[i];
    }
}

static uint32_t check_shape(check_buffer_t *buffer, check_report_t *report, uint32_t number) {
    static int8_t expected[MAX_Y], got[MAX_Y + 1];
    bp_conv_s8_t p;
    channels_t channels;
    any_shape(&p);
    any_range(&p);
    const bp_conv_shape_t *s = &p.shape;
    uint32_t n_x = s->batch * s->x_height * s->x_width * s->x_channels;
    uint32_t n_y = s->batch * s->y_height * s->y_width * s->y_channels;
    int8_t *x = (int8_t *)buffer(0, n_x);
    uint8_t *weights = buffer(1, s->y_channels * row_stride(s, p.groups));
    int8_t *columns = (int8_t *)buffer(2, bp_conv_scratch(s, p.groups));
    fill(x, n_x, -128, number % 7 < 4 ? 0 : number % 4);
    for (uint32_t i = 1; i < n_x && number % 3 == 0; ++i) {
        x[i] = below(24) == 0 ? x[i] : x[i - 1]; /* areas of one value */
    }
    fill_weights(weights, &p, number % 5 < 3 ? 0 : number / 5 % 4);
    fill_channels(&channels, s->y_channels, row_stride(s, p.groups));
    p.weights = weights;
    p.bias = (const uint8_t *)channels.bias;
    p.mult_q31 = (const uint8_t *)channels.mult_q31;
    p.lshift = (const uint8_t *)channels.lshift;
    p.fast = 0;
    bp_conv_s8(expected, x, columns, &p);
    p.fast = 1;
    got[n_y] = GUARD;
    fill(columns, bp_conv_scratch(s, p.groups), -128, 0);
    bp_conv_s8(got, x, columns, &p);
    if (compare(expected, got, n_y, number, report) == n_y) {
        put_over_input(got, x, columns, &p, n_x, n_y);
    }
    return compare(expected, got, n_y, number, report);
}

uint32_t check_convolutions(check_buffer_t *buffer, check_report_t *report) {
    uint32_t comparisons = 0;
    state = 1;
    for (uint32_t number = 0; number < SHAPES; ++number) {
        comparisons += check_shape(buffer, report, number);
    }
    return comparisons;
}
