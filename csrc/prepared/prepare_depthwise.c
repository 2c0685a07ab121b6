#include "isa/isa.h"

#if BP_ISA_AT_RUN_TIME
#include "prepared/canvas.h"
#include "prepared/channels.h"
#include "prepared/packed_op.h"

typedef struct {
    bp_canvas_t canvas;
    bp_packed_depthwise_run_t *run;
    bp_packed_depthwise_t packed;
    uint32_t x_offset;
    uint32_t y_offset;
    uint32_t y_bytes; /* of one image */
} depthwise_t;

static void run_depthwise(const bp_step_t *step, uint8_t *arena, uint8_t *work) {
    const depthwise_t *d = (const depthwise_t *)step->constants;
    int8_t *y = (int8_t *)arena + (size_t)d->y_offset;
    bp_canvas_paint(work, (const int8_t *)arena + (size_t)d->x_offset, &d->canvas);
    for (uint32_t image = 0; image < d->canvas.batch; ++image) {
        d->run(y, work, &d->packed);
        work += (size_t)d->canvas.height * bp_canvas_pitch(&d->canvas);
        y += (size_t)d->y_bytes;
    }
}

/* How outputs are dealt out to lanes. Where channels do not fill vectors and neighbours of y have
 * neighbours of x, groups go on into the next pixels, until one begins at channel 0 again. */
typedef struct {
    uint32_t groups;
    uint32_t period; /* channels, after which slots repeat; 0: slots are channels */
} lanes_t;

static uint32_t common_multiple(uint32_t a, uint32_t b) {
    uint32_t x = a, y = b;
    while (y != 0) {
        const uint32_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

static lanes_t lanes_of(const bp_conv_shape_t *s, uint32_t lanes) {
    const uint32_t channels = s->y_channels;
    if (s->window[1].stride == 1 && channels < 4 * lanes && channels % lanes != 0) {
        return (lanes_t){common_multiple(channels, lanes) / lanes, channels};
    }
    return (lanes_t){(channels + lanes - 1) / lanes, 0};
}

static const uint8_t *pack_weights(bp_store_t *store, const bp_channels_t *channels,
                                   const bp_conv_shape_t *s, const lanes_t *lanes, uint32_t slots) {
    const uint32_t rows = s->window[0].kernel, columns = s->window[1].kernel;
    const uint32_t quads = (columns + 3) / 4, n = slots / lanes->groups;
    uint8_t *const packed = bp_store_take(store, (size_t)slots * rows * quads * 4);
    uint8_t *to = packed;
    for (uint32_t i = 0; packed != NULL && i < slots * rows * quads * 4; ++i) {
        const uint32_t lane = i / 4 % n, quad = i / 4 / n;
        const uint32_t group = quad / (rows * quads), slot = group * n + lane;
        const uint32_t channel = lanes->period != 0 ? slot % lanes->period : slot;
        const uint32_t ky = quad / quads % rows, kx = 4 * (quad % quads) + i % 4;
        int8_t weight = 0;
        if (channel < channels->n && kx < columns) {
            weight = bp_channel_weight(channels, channel, ky * columns + kx);
        }
        *to++ = (uint8_t)weight;
    }
    return packed;
}

static bp_packed_depthwise_t pack(bp_store_t *store, const bp_packed_op_t *op,
                                  const bp_canvas_t *canvas, const bp_packed_isa_t *isa) {
    const bp_conv_shape_t *s = &op->shape;
    const lanes_t lanes = lanes_of(s, isa->lanes);
    const uint32_t slots = lanes.groups * isa->lanes, channels = s->y_channels;
    return (bp_packed_depthwise_t){
        .weights = pack_weights(store, &op->channels, s, &lanes, slots),
        .groups = lanes.groups,
        .lanes_end = lanes.period != 0 ? 0 : channels,
        .x_step = lanes.period != 0 ? slots : s->window[1].stride * channels,
        .y_step = lanes.period != 0 ? slots : channels,
        .y_row = s->y_width * channels,
        .y_rows = s->y_height,
        .x_pitch = bp_canvas_pitch(canvas),
        .x_tap = s->window[1].dilation * channels,
        .kernel = {s->window[0].kernel, s->window[1].kernel},
        .stride = s->window[0].stride,
        .dilation = s->window[0].dilation,
        .scaling = bp_pack_scaling(store, &op->channels, slots, 0, channels, lanes.period, isa),
    };
}

void bp_prepare_packed_depthwise(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                                 const bp_packed_op_t *op) {
    depthwise_t depthwise = {
        .canvas = bp_canvas_of(&op->shape),
        .run = isa->depthwise,
        .x_offset = op->x_offset,
        .y_offset = op->y_offset,
        .y_bytes = op->shape.y_height * op->shape.y_width * op->shape.y_channels,
    };
    bp_canvas_t *canvas = &depthwise.canvas;
    canvas->widen = isa->depthwise_widen;
    canvas->element_bytes = 1;
    canvas->is_unsigned = isa->is_unsigned;
    canvas->outside = op->x_zp;
    canvas->repeats = op->shape.y_channels / op->shape.x_channels;
    const uint32_t canvas_bytes = bp_canvas_bytes(canvas);
    if (canvas_bytes == 0) {
        return;
    }
    depthwise_t *to = (depthwise_t *)(void *)bp_store_take(store, sizeof depthwise);
    depthwise.packed = pack(store, op, canvas, isa);
    bp_store_work(store, canvas_bytes);
    if (to != NULL) {
        *to = depthwise;
    }
    step->run = run_depthwise;
    step->constants = to;
}

#endif
