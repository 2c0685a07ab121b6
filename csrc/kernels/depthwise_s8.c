#include <byteprop/config.h>
#include <byteprop/kernels.h>
#include <stdbool.h>

#include "conv.h"

/* Input rows as they are read: the last `n` of them, each in the next slot of a ring. */
typedef struct {
    int8_t *slots;
    uint32_t row_bytes;
    int32_t n;
    int32_t read; /* rows of the image that have been read */
    int32_t next; /* slot of the next one */
} ring_t;

/* Rows that a ring must have. */
static uint32_t rows_at_once(const bp_conv_shape_t *s) {
    const uint32_t reach = bp_reach(&s->window[0]);
    return reach < s->x_height ? reach : s->x_height;
}

uint32_t bp_depthwise_scratch(const bp_conv_shape_t *shape) {
    return rows_at_once(shape) * shape->x_width * shape->x_channels;
}

static void read_rows(ring_t *ring, const int8_t *image, int32_t end) {
    for (; ring->read < end; ++ring->read) {
        const int8_t *from = image + (size_t)((uint32_t)ring->read * ring->row_bytes);
        int8_t *to = ring->slots + (size_t)((uint32_t)ring->next * ring->row_bytes);
        for (uint32_t i = 0; i < ring->row_bytes; ++i) {
            to[i] = from[i];
        }
        ring->next = ring->next + 1 == ring->n ? 0 : ring->next + 1;
    }
}

/* NULL for a row outside the image. */
static const int8_t *row_of(const ring_t *ring, int32_t row) {
    int32_t slot = ring->next - (ring->read - row);
    if (row < 0 || row >= ring->read) {
        return NULL;
    }
    slot = slot < 0 ? slot + ring->n : slot;
    return ring->slots + (size_t)((uint32_t)slot * ring->row_bytes);
}

/* Of output channel `channel`, whose first input column is `left`. */
static int32_t sum_of_taps(const ring_t *ring, const bp_conv_s8_t *p, int32_t top, int32_t left,
                           uint32_t channel, uint32_t x_channel) {
    const bp_conv_shape_t *s = &p->shape;
    const uint8_t *weight = p->weights + (size_t)channel;
    int32_t sum = 0;
    for (uint16_t ky = 0; ky < s->window[0].kernel; ++ky, top += s->window[0].dilation) {
        const int8_t *row = row_of(ring, top);
        int32_t ix = left;
        for (uint16_t kx = 0; kx < s->window[1].kernel; ++kx, ix += s->window[1].dilation) {
            const bool inside = row != NULL && ix >= 0 && (uint32_t)ix < s->x_width;
            const int8_t x =
                inside ? row[(size_t)((uint32_t)ix * s->x_channels + x_channel)] : p->x_zp;
            sum += (int32_t)BP_ROM_I8(weight) * x;
            weight += (size_t)s->y_channels;
        }
    }
    return sum;
}

static int8_t *put_row(int8_t *y, const ring_t *ring, const bp_conv_s8_t *p, int32_t top) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t multiplier = s->y_channels / s->x_channels;
    int32_t left = -(int32_t)s->window[1].pad;
    for (uint32_t ox = 0; ox < s->y_width; ++ox, left += s->window[1].stride) {
        uint32_t channel = 0;
        for (uint32_t i = 0; i < s->x_channels; ++i) {
            for (uint32_t k = 0; k < multiplier; ++k, ++channel) {
                const int32_t sum = sum_of_taps(ring, p, top, left, channel, i);
                *y++ = bp_conv_output(sum, p, channel);
            }
        }
    }
    return y;
}

void bp_depthwise_s8(int8_t *y, const int8_t *x, int8_t *rows, const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const int32_t reach = (int32_t)bp_reach(&s->window[0]);
    const int32_t height = (int32_t)s->x_height;
    const uint32_t row_bytes = s->x_width * s->x_channels;
    for (uint32_t image = 0; image < s->batch; ++image) {
        ring_t ring = {rows, row_bytes, (int32_t)rows_at_once(s), 0, 0};
        int32_t top = -(int32_t)s->window[0].pad;
        for (uint32_t oy = 0; oy < s->y_height; ++oy, top += s->window[0].stride) {
            read_rows(&ring, x, top + reach < height ? top + reach : height);
            y = put_row(y, &ring, p, top);
        }
        x += (size_t)(s->x_height * row_bytes);
    }
}
