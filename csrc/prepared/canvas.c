#include "isa/isa.h"

#if BP_ISA_AT_RUN_TIME
#include "prepared/canvas.h"

#include <byteprop/model.h>

static uint32_t greater(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Positions that n windows reach over, from the first one's begin. */
static uint32_t extent(const bp_window_t *window, uint32_t n) {
    return (n - 1) * window->stride + (window->kernel - 1u) * window->dilation + 1;
}

bp_canvas_t bp_canvas_of(const bp_conv_shape_t *s) {
    return (bp_canvas_t){
        .batch = s->batch,
        .x_height = s->x_height,
        .x_width = s->x_width,
        .x_channels = s->x_channels,
        .repeats = 1,
        .top = s->window[0].pad,
        .left = s->window[1].pad,
        .height = extent(&s->window[0], s->y_height),
        .width = greater(extent(&s->window[1], s->y_width), s->window[1].pad + s->x_width),
    };
}

uint32_t bp_canvas_bytes(const bp_canvas_t *canvas) {
    const uint32_t factors[] = {canvas->batch,      canvas->height,  canvas->width,
                                canvas->x_channels, canvas->repeats, canvas->element_bytes};
    uint64_t bytes = 1;
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; ++i) {
        bytes *= factors[i];
        if (bytes > BP_MODEL_MAX_ARENA_BYTES) {
            return 0;
        }
    }
    return (uint32_t)bytes + BP_PACKED_SLACK;
}

/* n elements of what is outside. */
static uint8_t *put_outside(uint8_t *to, uint32_t n, const bp_canvas_t *c) {
    if (c->element_bytes == 1) {
        const uint8_t value = (uint8_t)(c->outside ^ (c->is_unsigned ? 0x80 : 0));
        for (uint32_t i = 0; i < n; ++i) {
            to[i] = value;
        }
    } else {
        int16_t *elements = (int16_t *)(void *)to;
        for (uint32_t i = 0; i < n; ++i) {
            elements[i] = c->outside;
        }
    }
    return to + (size_t)n * c->element_bytes;
}

/* n channels, or each of them as often as it is repeated. */
static uint8_t *put_inputs(uint8_t *to, const int8_t *x, uint32_t n, const bp_canvas_t *c) {
    if (c->repeats == 1) {
        c->widen(to, x, n);
        return to + (size_t)n * c->element_bytes;
    }
    for (uint32_t i = 0; i < n; ++i) {
        bp_canvas_t one = *c;
        one.outside = x[i];
        to = put_outside(to, c->repeats, &one);
    }
    return to;
}

void bp_canvas_paint(uint8_t *to, const int8_t *x, const bp_canvas_t *c) {
    const uint32_t pixel = c->x_channels * c->repeats, x_row = c->x_width * c->x_channels;
    const uint32_t right = c->width - c->left - c->x_width;
    const uint32_t below = c->height - c->top;
    const uint32_t rows = c->height <= c->top ? 0 : below < c->x_height ? below : c->x_height;
    for (uint32_t image = 0; image < c->batch; ++image) {
        if (right == 0 && c->left == 0) {
            to = put_outside(to, c->top * c->width * pixel, c);
            to = put_inputs(to, x, rows * x_row, c);
        } else {
            to = put_outside(to, (c->top * c->width + c->left) * pixel, c);
            for (uint32_t row = 0; row < rows; ++row) {
                to = put_inputs(to, x + (size_t)(row * x_row), x_row, c);
                to = put_outside(to, (row + 1 < rows ? right + c->left : right) * pixel, c);
            }
        }
        to = put_outside(to, (c->height - c->top - rows) * c->width * pixel, c);
        x += (size_t)(c->x_height * x_row);
    }
}

#endif
