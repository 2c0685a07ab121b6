/* bp_depthwise_s8 against the definition, over random shapes, the output over the input by the
 * planned distance and by more. */
#include "check.h"

#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

enum { SHAPES = 700, MAX_Y = 480, MAX_CHANNELS = 18 };

static uint32_t state;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

typedef struct {
    int32_t bias[MAX_CHANNELS];
    int32_t mult_q31[MAX_CHANNELS];
    int8_t lshift[MAX_CHANNELS];
} channels_t;

/* Sums of the whole range that the flag FAST allows, and those of usual layers. */
static void fill_channels(channels_t *c, uint32_t n, uint32_t taps) {
    for (uint32_t j = 0; j < n; ++j) {
        const int32_t limit = ((int32_t)1 << 28) - (int32_t)(128 * 127 * taps);
        const uint32_t kind = below(6);
        const int32_t usual = (int32_t)below(8192) - 4096;
        c->bias[j] = kind == 0 ? limit - 1 : kind == 1 ? 1 - limit : usual;
        c->mult_q31[j] = kind == 2 ? INT32_MAX
                         : kind == 3
                             ? (int32_t)1 << 30
                             : (int32_t)(((uint32_t)1 << 30) | below((uint32_t)1 << 24) << 6);
        c->lshift[j] = (int8_t)(kind < 2 ? -22 + (int32_t)below(4) : -1 - (int32_t)below(13));
    }
}

static void fill(int8_t *bytes, uint32_t n, int32_t lowest, uint32_t pattern) {
    for (uint32_t i = 0; i < n; ++i) {
        const int32_t random = lowest + (int32_t)below((uint32_t)(128 - lowest));
        bytes[i] = (int8_t)(pattern == 0 ? random : pattern == 1 || below(2) ? lowest : 127);
    }
}

/* Most are of the geometry that has its own primitives. */
static void any_window(bp_window_t *w, uint32_t *x, uint32_t *y, int general) {
    w->kernel = (uint16_t)(general ? 1 + below(5) : 3);
    w->stride = (uint16_t)(1 + below(general ? 3 : 2));
    w->dilation = (uint16_t)(general ? 1 + below(2) : 1);
    const uint32_t reach = (w->kernel - 1u) * w->dilation + 1;
    w->pad = (uint16_t)below(reach);
    *y = 1 + below(12);
    const int32_t least = (int32_t)((*y - 1) * w->stride) - w->pad + 1;
    *x = (least < 1 ? 1 : (uint32_t)least) + below(reach + 1);
}

static uint32_t x_bytes(const bp_conv_shape_t *s) {
    return s->batch * s->x_height * s->x_width * s->x_channels;
}

static uint32_t y_bytes(const bp_conv_shape_t *s) {
    return s->batch * s->y_height * s->y_width * s->y_channels;
}

/* From y to x: apart, as near as is allowed, or so that channels are at addresses of others. */
static uint32_t any_distance(const bp_conv_shape_t *s) {
    const uint32_t least = bp_depthwise_distance(s);
    switch (below(4)) {
    case 0:
        return y_bytes(s) > least ? y_bytes(s) : least;
    case 1:
        return least + 1 + below(2 * s->x_channels);
    case 2:
        return (least / s->x_channels + 1 + below(3)) * s->x_channels;
    default:
        return least;
    }
}

static uint32_t any_shape(bp_conv_shape_t *s) {
    uint32_t distance;
    do {
        const int general = below(4) == 0;
        any_window(&s->window[0], &s->x_height, &s->y_height, general);
        any_window(&s->window[1], &s->x_width, &s->y_width, general);
        s->batch = 1 + below(6) / 5;
        s->x_channels = 1 + below(below(2) ? 9 : MAX_CHANNELS);
        s->y_channels = s->x_channels * (general ? 1 + below(3) : 1);
        distance = any_distance(s);
    } while (s->y_channels > MAX_CHANNELS || bp_depthwise_scratch(s) > CHECK_MORE_BYTES ||
             distance + x_bytes(s) > CHECK_X_BYTES || y_bytes(s) > MAX_Y ||
             y_bytes(s) > CHECK_X_BYTES);
    return distance;
}

static int32_t sum_at(const int8_t *x, const bp_conv_s8_t *p, int32_t top, int32_t left,
                      uint32_t channel) {
    const bp_conv_shape_t *s = &p->shape;
    const uint8_t *weight = p->weights + channel;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < s->window[0].kernel; ++ky) {
        for (int32_t kx = 0; kx < s->window[1].kernel; ++kx, weight += s->y_channels) {
            const int32_t iy = top + ky * s->window[0].dilation;
            const int32_t ix = left + kx * s->window[1].dilation;
            const int inside =
                iy >= 0 && iy < (int32_t)s->x_height && ix >= 0 && ix < (int32_t)s->x_width;
            const uint32_t at = ((uint32_t)iy * s->x_width + (uint32_t)ix) * s->x_channels +
                                channel / (s->y_channels / s->x_channels);
            sum += (int8_t)*weight * (int32_t)(inside ? x[at] : p->x_zp);
        }
    }
    return sum;
}

static void define(int8_t *y, const int8_t *x, const bp_conv_s8_t *p, const channels_t *c) {
    const bp_conv_shape_t *s = &p->shape;
    for (uint32_t i = 0; i < y_bytes(s); ++i) {
        const uint32_t channel = i % s->y_channels, pixel = i / s->y_channels;
        const uint32_t ox = pixel % s->y_width, oy = pixel / s->y_width % s->y_height;
        const int8_t *image = x + pixel / s->y_width / s->y_height * (x_bytes(s) / s->batch);
        int32_t sum = sum_at(image, p, (int32_t)(oy * s->window[0].stride) - s->window[0].pad,
                             (int32_t)(ox * s->window[1].stride) - s->window[1].pad, channel);
        sum = bp_requant(c->bias[channel] + sum, c->mult_q31[channel], c->lshift[channel]);
        y[i] = (int8_t)bp_clamp(sum + p->y_zp, p->y_min, p->y_max);
    }
}

static void any_numbers(bp_conv_s8_t *p) {
    p->x_zp = (int8_t)(below(3) == 0 ? -128 : (int32_t)below(256) - 128);
    p->y_zp = (int8_t)(below(3) == 0 ? -128 : (int32_t)below(256) - 128);
    p->y_min = -128;
    p->y_max = 127;
    if (below(3) == 0) {
        p->y_min = (int8_t)(-128 + (int32_t)below(100));
        p->y_max = (int8_t)(127 - (int32_t)below(100));
    }
    p->groups = 1;
    p->fast = below(8) != 0;
}

static uint32_t check_shape(check_buffer_t *buffer, check_report_t *report, uint32_t number) {
    bp_conv_s8_t p;
    channels_t channels;
    const uint32_t distance = any_shape(&p.shape), n_y = y_bytes(&p.shape);
    const uint32_t taps = (uint32_t)p.shape.window[0].kernel * p.shape.window[1].kernel;
    const uint32_t end = distance + x_bytes(&p.shape), n_weights = taps * p.shape.y_channels;
    int8_t *y = (int8_t *)buffer(0, end > n_y ? end : n_y), *x = y + distance;
    uint8_t *weights = buffer(1, n_weights + n_y);
    int8_t *expected = (int8_t *)weights + n_weights;
    int8_t *scratch = (int8_t *)buffer(2, bp_depthwise_scratch(&p.shape));
    any_numbers(&p);
    fill_channels(&channels, p.shape.y_channels, taps);
    p.weights = weights;
    p.bias = (const uint8_t *)channels.bias;
    p.mult_q31 = (const uint8_t *)channels.mult_q31;
    p.lshift = (const uint8_t *)channels.lshift;
    fill(y, end > n_y ? end : n_y, -128, number % 5 < 3 ? 0 : number % 5 - 2);
    fill((int8_t *)weights, n_weights, -127, number % 7 < 4 ? 0 : number % 2 + 1);
    fill(scratch, bp_depthwise_scratch(&p.shape), -128, 0);
    define(expected, x, &p, &channels);
    const int8_t guard = end > n_y ? y[n_y] : 0;
    bp_depthwise_s8(y, x, scratch, &p);
    for (uint32_t i = 0; i < n_y; ++i) {
        if (expected[i] != y[i]) {
            report("depthwise, shape", number);
            break;
        }
    }
    if (end > n_y && y[n_y] != guard) {
        report("depthwise beyond y, shape", number);
    }
    return n_y;
}

uint32_t check_depthwise(check_buffer_t *buffer, check_report_t *report) {
    uint32_t comparisons = 0;
    state = 7;
    for (uint32_t number = 0; number < SHAPES; ++number) {
        comparisons += check_shape(buffer, report, number);
    }
    return comparisons;
}
