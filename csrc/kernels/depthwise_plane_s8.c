#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/fixed.h>

/* n channels of the pixels of a row. */
static void spread_row(int8_t *to, size_t plane_bytes, const int8_t *x, size_t x_step,
                       uint32_t width, uint32_t n) {
    for (const int8_t *end = to + (size_t)width; to != end; ++to, x += x_step) {
        int8_t *plane = to;
        for (uint32_t i = 0; i < n; ++i, plane += plane_bytes) {
            *plane = x[i];
        }
    }
}

static void spread_row_of_four(int8_t *to, size_t plane_bytes, const int8_t *x, size_t x_step,
                               uint32_t width) {
    int8_t *to1 = to + plane_bytes, *to2 = to1 + plane_bytes, *to3 = to2 + plane_bytes;
    for (const int8_t *end = to + (size_t)width; to != end; x += x_step) {
        *to++ = x[0];
        *to1++ = x[1];
        *to2++ = x[2];
        *to3++ = x[3];
    }
}

void bp_depthwise_spread_s8(const bp_spread_t *p) {
    const size_t plane_bytes = (size_t)p->plane_bytes, x_step = (size_t)p->x_step;
    const int8_t *x = p->x;
    int8_t *to = (int8_t *)p->planes;
    for (uint32_t rows = p->rows; rows != 0; --rows) {
        if (p->channels == 4) {
            spread_row_of_four(to, plane_bytes, x, x_step, p->width);
        } else {
            spread_row(to, plane_bytes, x, x_step, p->width, p->channels);
        }
        x += p->width * x_step;
        to += (size_t)p->row_bytes;
    }
}

/* Not widened: the product of two int8 fits int even where that has 16 bits. */
#define ROW(row, w0, w1, w2) (int32_t)(w0 * row[0]) + w1 *row[1] + w2 *row[2]

static void put_channel(const bp_depthwise_planes_t *p, uint32_t channel) {
    int8_t w[9];
    for (uint8_t i = 0; i < 9; ++i) {
        w[i] = BP_ROM_I8(p->weights + (size_t)(i * p->weight_step + channel * p->channel_step));
    }
    const int w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6];
    const int w7 = w[7], w8 = w[8];
    const int32_t bias = BP_ROM_I32(p->bias + (size_t)(4 * channel));
    const int32_t mult_q31 = BP_ROM_I32(p->mult_q31 + (size_t)(4 * channel));
    const uint8_t rshift = (uint8_t)-BP_ROM_I8(p->lshift + (size_t)channel), step = p->strides[1];
    const int32_t rounding = bp_short_rounding(p->y_zp, rshift);
    const int8_t *row = (const int8_t *)p->planes + (size_t)(channel * p->plane_bytes);
    const size_t y_step = (size_t)p->y_step, row_bytes = (size_t)p->row_bytes;
    int8_t *y = p->y + (size_t)channel;
    for (uint32_t rows = p->rows; rows != 0; --rows) {
        const int8_t *r0 = row, *r1 = r0 + row_bytes, *r2 = r1 + row_bytes;
        for (uint32_t left = p->width; left != 0; --left) {
            int32_t sum = bias;
            sum += ROW(r0, w0, w1, w2);
            sum += ROW(r1, w3, w4, w5);
            sum += ROW(r2, w6, w7, w8);
            sum = bp_requant_short(sum, mult_q31, rounding, rshift);
            *y = (int8_t)bp_clamp(sum, INT8_MIN, INT8_MAX);
            y += y_step;
            r0 += step;
            r1 += step;
            r2 += step;
        }
        row += p->strides[0] * row_bytes;
    }
}

void bp_depthwise_outputs_s8(const bp_depthwise_planes_t *p) {
    for (uint32_t channel = 0; channel < p->channels; ++channel) {
        put_channel(p, channel);
    }
}
