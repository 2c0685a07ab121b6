#include <byteprop/config.h>
#include <byteprop/kernels.h>
#include <stddef.h>

#include "kernels/conv.h"
#include "kernels/depthwise.h"
#include "kernels/window.h"

/* Input rows as they are read: the last `n` of them, each in the next slot of a ring. */
typedef struct {
    const int8_t *slots;
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

uint32_t bp_rows_scratch(const bp_conv_shape_t *s) {
    return rows_at_once(s) * s->x_width * s->x_channels;
}

static void read_rows(ring_t *ring, int8_t *slots, const int8_t *image, int32_t end) {
    for (; ring->read < end; ++ring->read) {
        const int8_t *from = image + (size_t)((uint32_t)ring->read * ring->row_bytes);
        int8_t *to = slots + (size_t)((uint32_t)ring->next * ring->row_bytes);
        for (const int8_t *from_end = from + (size_t)ring->row_bytes; from != from_end; ++from) {
            *to++ = *from;
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

/* An output pixel: the first row of its window, and which columns are inside the image. */
typedef struct {
    const ring_t *ring;
    const bp_conv_s8_t *p;
    int32_t top;
    bp_taps_t columns;
} pixel_t;

/* n taps of a row, from the first weight on. */
static int32_t products(const uint8_t *weight, size_t weight_step, const int8_t *x, size_t x_step,
                        uint32_t n) {
    int32_t sum = 0;
    for (; n != 0; --n, weight += weight_step, x += x_step) {
        sum += (int32_t)BP_ROM_I8(weight) * *x;
    }
    return sum;
}

static int32_t sum_of_taps(const pixel_t *pixel, uint32_t channel, uint32_t x_channel) {
    const bp_conv_s8_t *p = pixel->p;
    const bp_window_t *rows = &p->shape.window[0], *columns = &p->shape.window[1];
    const bp_taps_t *inside = &pixel->columns;
    const size_t step = (size_t)p->shape.y_channels;
    const size_t x_step = (size_t)((uint32_t)columns->dilation * p->shape.x_channels);
    const uint8_t *weight = p->weights + (size_t)channel;
    int32_t sum = 0, row = pixel->top;
    for (uint32_t ky = 0; ky < rows->kernel; ++ky, row += rows->dilation) {
        const int8_t *x = row_of(pixel->ring, row);
        if (x == NULL) {
            sum += products(weight, step, &p->x_zp, 0, columns->kernel);
        } else {
            x += (size_t)(inside->at * p->shape.x_channels + x_channel);
            sum += products(weight, step, &p->x_zp, 0, inside->begin);
            sum += products(weight + inside->begin * step, step, x, x_step,
                            inside->end - inside->begin);
            sum += products(weight + inside->end * step, step, &p->x_zp, 0,
                            columns->kernel - inside->end);
        }
        weight += columns->kernel * step;
    }
    return sum;
}

static int8_t *put_row(int8_t *y, const ring_t *ring, const bp_conv_s8_t *p, int32_t top) {
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t multiplier = s->y_channels / s->x_channels;
    pixel_t pixel = {ring, p, top, {0, 0, 0}};
    for (uint32_t ox = 0; ox < s->y_width; ++ox) {
        uint32_t channel = 0;
        pixel.columns = bp_window_taps(&s->window[1], ox, s->x_width);
        for (uint32_t i = 0; i < s->x_channels; ++i) {
            for (uint32_t k = 0; k < multiplier; ++k, ++channel) {
                *y++ = bp_conv_output(sum_of_taps(&pixel, channel, i), p, channel);
            }
        }
    }
    return y;
}

/* Row by row: all input of an output row has been copied before the row is written, unless it is
 * not written over. */
void bp_depthwise_by_rows(int8_t *y, const int8_t *x, int8_t *slots, const bp_conv_s8_t *p) {
    const bp_conv_shape_t *s = &p->shape;
    const bool copies = !bp_are_apart(y, x, s);
    const int32_t reach = (int32_t)bp_reach(&s->window[0]);
    const int32_t height = (int32_t)s->x_height;
    const uint32_t row_bytes = s->x_width * s->x_channels;
    for (uint32_t image = 0; image < s->batch; ++image) {
        ring_t ring = {x, row_bytes, height, height, 0}; /* the image itself */
        if (copies) {
            ring = (ring_t){slots, row_bytes, (int32_t)rows_at_once(s), 0, 0};
        }
        int32_t top = -(int32_t)s->window[0].pad;
        for (uint32_t oy = 0; oy < s->y_height; ++oy, top += s->window[0].stride) {
            read_rows(&ring, slots, x, top + reach < height ? top + reach : height);
            y = put_row(y, &ring, p, top);
        }
        x += (size_t)(s->x_height * row_bytes);
    }
}
