#include "isa/isa.h"

#if BP_ISA_AT_RUN_TIME
#include "prepared/canvas.h"
#include "prepared/channels.h"
#include "prepared/packed_op.h"

/* Convolutions, and dense layers as convolutions of images of one pixel. */

/* Pixels whose windows are looked up at once. */
enum { PIXELS_AT_ONCE = 32 * BP_PACKED_PIXELS };

typedef struct {
    bp_canvas_t canvas;
    bp_conv_shape_t shape;
    bp_packed_conv_run_t *run;
    uint32_t x_offset;
    uint32_t y_offset;
    uint32_t groups;
    const uint32_t *row; /* where windows of a row of y begin, from where the first does */
    bp_packed_conv_t packed[]; /* of each group */
} conv_t;

/* ---- running ---- */

static void run_pixels(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                       const conv_t *c) {
    const uint32_t channels = c->shape.x_channels / c->groups * c->canvas.element_bytes;
    for (uint32_t g = 0; g < c->groups; ++g) {
        c->run(y, image, pixels, n, &c->packed[g]);
        image += channels;
        y += c->packed[g].channels;
    }
}

static void begin_windows(uint32_t *pixels, uint32_t at, const uint32_t *row, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        pixels[i] = at + row[i];
    }
}

/* Where the windows of all pixels of y begin, a block at a time. */
static void run_images(int8_t *y, const uint8_t *work, const conv_t *c) {
    const bp_conv_shape_t *s = &c->shape;
    const uint32_t pitch = bp_canvas_pitch(&c->canvas);
    uint32_t pixels[PIXELS_AT_ONCE], n = 0;
    for (uint32_t image = 0; image < s->batch; ++image) {
        for (uint32_t oy = 0; oy < s->y_height; ++oy) {
            const uint32_t at = (image * c->canvas.height + oy * s->window[0].stride) * pitch;
            for (uint32_t left = s->y_width, most; left != 0; left -= most) {
                most = left < PIXELS_AT_ONCE - n ? left : PIXELS_AT_ONCE - n;
                begin_windows(pixels + n, at, c->row + (s->y_width - left), most);
                n += most;
                if (n == PIXELS_AT_ONCE) {
                    run_pixels(y, work, pixels, n, c);
                    y += (size_t)n * s->y_channels;
                    n = 0;
                }
            }
        }
    }
    for (uint32_t i = n; i % BP_PACKED_PIXELS != 0; ++i) {
        pixels[i] = pixels[n - 1];
    }
    if (n != 0) {
        run_pixels(y, work, pixels, n, c);
    }
}

static void run_conv(const bp_step_t *step, uint8_t *arena, uint8_t *work) {
    const conv_t *c = (const conv_t *)step->constants;
    bp_canvas_paint(work, (const int8_t *)arena + (size_t)c->x_offset, &c->canvas);
    run_images((int8_t *)arena + (size_t)c->y_offset, work, c);
}

/* ---- packing ---- */

/* How windows are cut into runs that are contiguous in the canvas, and runs into words. */
typedef struct {
    uint32_t n;
    uint32_t taps;  /* of a run */
    uint32_t words; /* of a run */
} runs_t;

static runs_t runs_of(const conv_t *c) {
    const bp_window_t *rows = &c->shape.window[0], *columns = &c->shape.window[1];
    runs_t runs = {(uint32_t)rows->kernel * columns->kernel, c->shape.x_channels / c->groups, 0};
    if (c->groups == 1 && columns->dilation == 1) {
        runs.n = rows->kernel;
        runs.taps *= columns->kernel;
        if (columns->kernel == c->canvas.width && rows->dilation == 1) {
            runs.n = 1;
            runs.taps *= rows->kernel;
        }
    }
    runs.words = (runs.taps * c->canvas.element_bytes + 3) / 4;
    return runs;
}

static uint32_t row_pixel_of(const conv_t *c, const runs_t *runs) {
    const bp_window_t *columns = &c->shape.window[1];
    const uint32_t bytes = c->shape.x_channels * c->canvas.element_bytes;
    const int is_row = c->groups == 1 && columns->kernel == 3 && columns->stride == 1 &&
                       columns->dilation == 1 && runs->n == c->shape.window[0].kernel;
    return is_row && bytes % 4 == 0 ? bytes / 4 : 0;
}

static const uint32_t *pack_words(bp_store_t *store, const conv_t *c, const runs_t *runs) {
    const uint32_t n = runs->n * runs->words;
    uint32_t *at = (uint32_t *)(void *)bp_store_take(store, 4 * (size_t)n);
    const uint32_t pixel = c->shape.x_channels * c->canvas.element_bytes;
    const uint32_t in_row = runs->n == 1 ? 1 : runs->n / c->shape.window[0].kernel;
    for (uint32_t i = 0; at != NULL && i < n; ++i) {
        const uint32_t run = i / runs->words, ky = run / in_row, kx = run % in_row;
        at[i] = ky * c->shape.window[0].dilation * bp_canvas_pitch(&c->canvas) +
                kx * c->shape.window[1].dilation * pixel + 4 * (i % runs->words);
    }
    return at;
}

static const uint32_t *pack_row(bp_store_t *store, const conv_t *c) {
    const uint32_t n = c->shape.y_width;
    uint32_t *row = (uint32_t *)(void *)bp_store_take(store, 4 * (size_t)n);
    const uint32_t step = c->shape.window[1].stride * c->shape.x_channels * c->canvas.element_bytes;
    for (uint32_t i = 0; row != NULL && i < n; ++i) {
        row[i] = i * step;
    }
    return row;
}

/* One word of weights of one channel. */
static uint8_t *put_word(uint8_t *to, const bp_channels_t *channels, uint32_t channel,
                         uint32_t end, uint32_t run, const runs_t *runs, uint32_t word,
                         uint8_t element_bytes) {
    const uint32_t elements = 4u / element_bytes;
    for (uint32_t e = 0; e < elements; ++e, to += element_bytes) {
        const uint32_t tap = word * elements + e;
        int8_t weight = 0;
        if (channel < end && tap < runs->taps) {
            weight = bp_channel_weight(channels, channel, run * runs->taps + tap);
        }
        to[0] = (uint8_t)weight;
        if (element_bytes == 2) {
            to[1] = weight < 0 ? 0xFF : 0;
        }
    }
    return to;
}

/* Channels first .. end - 1; `end` rounded up to vectors. */
static const uint8_t *pack_weights(bp_store_t *store, const bp_channels_t *channels,
                                   uint32_t first, uint32_t end, const runs_t *runs,
                                   const bp_packed_isa_t *isa) {
    const uint32_t lanes = isa->lanes, slots = (end - first + lanes - 1) / lanes * lanes;
    uint8_t *const packed = bp_store_take(store, (size_t)4 * slots * runs->n * runs->words);
    uint8_t *to = packed;
    for (uint32_t panel = 0, size; packed != NULL && panel < slots; panel += size) {
        size = slots - panel < BP_PACKED_PANEL * lanes ? slots - panel : BP_PACKED_PANEL * lanes;
        for (uint32_t run = 0; run < runs->n; ++run) {
            for (uint32_t word = 0; word < runs->words; ++word) {
                for (uint32_t slot = panel; slot < panel + size; ++slot) {
                    to = put_word(to, channels, first + slot, end, run, runs, word,
                                  isa->conv_bytes);
                }
            }
        }
    }
    return packed;
}

static void pack(bp_store_t *store, conv_t *to, const conv_t *c, const bp_channels_t *channels,
                 const bp_packed_isa_t *isa) {
    const runs_t runs = runs_of(c);
    const uint32_t *words = pack_words(store, c, &runs);
    const uint32_t n = channels->n / c->groups;
    const uint32_t slots = (n + isa->lanes - 1) / isa->lanes * isa->lanes;
    for (uint32_t g = 0; g < c->groups; ++g) {
        const uint32_t end = (g + 1) * n;
        const bp_packed_conv_t packed = {
            .weights = pack_weights(store, channels, g * n, end, &runs, isa),
            .words = words,
            .n_words = runs.n * runs.words,
            .row_pixel = row_pixel_of(c, &runs),
            .channels = n,
            .y_step = c->shape.y_channels,
            .scaling =
                bp_pack_scaling(store, channels, slots, g * n, end, 0, isa),
        };
        if (to != NULL) {
            to->packed[g] = packed;
        }
    }
}

void bp_prepare_packed_conv(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                            const bp_packed_op_t *op) {
    conv_t conv = {
        .canvas = bp_canvas_of(&op->shape),
        .shape = op->shape,
        .run = isa->conv,
        .x_offset = op->x_offset,
        .y_offset = op->y_offset,
        .groups = op->groups,
    };
    conv.canvas.widen = isa->conv_widen;
    conv.canvas.element_bytes = isa->conv_bytes;
    conv.canvas.is_unsigned = isa->is_unsigned;
    conv.canvas.outside = op->x_zp;
    const uint32_t canvas_bytes = bp_canvas_bytes(&conv.canvas);
    if (canvas_bytes == 0) {
        return;
    }
    conv_t *to = (conv_t *)(void *)bp_store_take(
        store, sizeof conv + op->groups * sizeof(bp_packed_conv_t));
    conv.row = pack_row(store, &conv);
    if (to != NULL) {
        *to = conv;
    }
    pack(store, to, &conv, &op->channels, isa);
    bp_store_work(store, canvas_bytes);
    step->run = run_conv;
    step->constants = to;
}

#endif
