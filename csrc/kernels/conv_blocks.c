#include "conv.h"
#include "isa/isa.h"
#include <stdbool.h>
#include <stddef.h>

/* Convolutions in blocks of output pixels: the inputs of the pixels of a block are widened into
 * columns in the form that the CPU multiplies fastest, and then serve all output channels. */

/* Where an image of one channel takes blocks. */
enum { ZEROS = 32, SHORT_ROW = 12, FINDS_FLAT = !BP_ISA_CONV_HAS_PLANES };

/* A loop of its own function has more registers on CPUs that have few. */
#ifdef __GNUC__
#define APART __attribute__((noinline))
#else
#define APART
#endif

/* The window of an output pixel: row and column of its first tap, which may be outside of the input,
 * and the offset of that tap in x, modulo 2^32. */
typedef struct {
    int32_t top;
    int32_t left;
    uint32_t at;
} place_t;

/* The walk over all pixels, forward or backward; `place` is that of the next one. */
typedef struct {
    const bp_conv_s8_t *p;
    place_t place;
    uint32_t columns_left; /* of the row, the next pixel's included */
    uint32_t rows_left;    /* of the image */
    uint32_t image;
    int32_t direction; /* 1 or -1 */
    int32_t left_step;
    uint32_t at_step;
} walk_t;

/* What blocks have in common. */
typedef struct {
    const bp_conv_s8_t *p;
    const int8_t *x;
    int8_t *columns;
    const int8_t *taps[BP_ISA_MOST_PIXELS];
    bp_dense_s8_t group;  /* the first one between blocks */
    uint32_t channels;    /* of a group */
    uint32_t group_bytes; /* columns of a group */
    uint32_t row_bytes;   /* of x */
    uint32_t row_step;    /* from one kernel row to the next */
    uint32_t rows_inside; /* places of the first tap, from 0 on, with all taps inside */
    uint32_t columns_inside;
    bp_runs_t runs; /* of a group inside: the whole window, or one kernel row */
    uint32_t parts; /* how often */
    bool is_whole; /* the runs of a group inside are the whole column */
    bool has_short_rows;
    bool clamps;
    int8_t flat_value; /* of the last flat block, whose first outputs are at flat_y */
    const int8_t *flat_y;
    uint32_t flat_bytes; /* of a block in a row of x; 0: flat blocks are not looked for */
    int32_t flat_first;  /* from the first pixel's first input to the block's first and last */
    int32_t flat_last;
    bp_runs_t run; /* a single one, at a border */
    int8_t zeros[ZEROS];
} blocks_t;

static int32_t first_tap(const bp_window_t *window, uint32_t n, int32_t direction) {
    return (direction < 0 ? (int32_t)((n - 1) * window->stride) : 0) - window->pad;
}

static void begin_row(walk_t *w) {
    const bp_conv_shape_t *s = &w->p->shape;
    w->columns_left = s->y_width;
    w->place.left = first_tap(&s->window[1], s->y_width, w->direction);
    const uint32_t row = w->image * s->x_height + (uint32_t)w->place.top;
    w->place.at = (row * s->x_width + (uint32_t)w->place.left) * s->x_channels;
}

static void begin_image(walk_t *w) {
    const bp_conv_shape_t *s = &w->p->shape;
    w->rows_left = s->y_height;
    w->place.top = first_tap(&s->window[0], s->y_height, w->direction);
    begin_row(w);
}

static void next_row(walk_t *w) {
    if (--w->rows_left == 0) {
        w->image += (uint32_t)w->direction;
        begin_image(w);
    } else {
        w->place.top += w->direction * w->p->shape.window[0].stride;
        begin_row(w);
    }
}

static inline void next_pixel(walk_t *w) {
    if (--w->columns_left == 0) {
        next_row(w);
    } else {
        w->place.left += w->left_step;
        w->place.at += w->at_step;
    }
}

/* First taps from 0 on with all taps of the window inside of n inputs. */
static uint32_t inside(const bp_window_t *window, uint32_t n) {
    const uint32_t reach = bp_reach(window);
    return reach <= n ? n - reach + 1 : 0;
}

/* The places of the next block; whether all of their taps are inside. */
static inline bool take_places(place_t *places, uint32_t n, walk_t *walk, const blocks_t *b) {
    bool all = true;
    if (walk->columns_left > n) {
        const place_t first = walk->place;
        int32_t last = first.left;
        for (uint32_t i = 0; i < n; ++i) {
            last = walk->place.left;
            places[i] = walk->place;
            walk->place.left += walk->left_step;
            walk->place.at += walk->at_step;
        }
        walk->columns_left -= n;
        return (uint32_t)first.left < b->columns_inside && (uint32_t)last < b->columns_inside &&
               (uint32_t)first.top < b->rows_inside;
    }
    for (uint32_t i = 0; i < n; ++i) {
        places[i] = walk->place;
        all = all && (uint32_t)places[i].left < b->columns_inside &&
              (uint32_t)places[i].top < b->rows_inside;
        next_pixel(walk);
    }
    return all;
}

/* Columns of pixels whose taps are all inside. */
static void put_inside(blocks_t *b, const place_t *places, uint32_t n) {
    BP_ISA_BEGIN
    int8_t *columns = b->columns;
    uint32_t channel = 0;
    do {
        uint32_t down = 0, at = 0;
        for (uint32_t part = b->parts; part != 0; --part) {
            for (uint32_t i = 0; i < n; ++i) {
                b->taps[i] = b->x + (size_t)(places[i].at + channel + down);
            }
            BP_ISA_CONV_COLUMNS(columns, at, b->taps, &b->runs);
            at += b->runs.count * b->runs.n;
            down += b->row_step;
        }
        columns += b->group_bytes;
        channel += b->channels;
    } while (channel < b->p->shape.x_channels);
}

/* One tap, from column `at` on. taps are zeros where it is outside. */
static void put_tap(blocks_t *b, int8_t *columns, uint32_t at, uint32_t n) {
    BP_ISA_BEGIN
    for (uint32_t left = b->channels;;) {
        b->run.n = left < ZEROS ? left : ZEROS;
        BP_ISA_CONV_COLUMNS(columns, at, b->taps, &b->run);
        left -= b->run.n;
        if (left == 0) {
            return;
        }
        at += b->run.n;
        for (uint32_t i = 0; i < n; ++i) {
            b->taps[i] += b->taps[i] == b->zeros ? 0 : b->run.n;
        }
    }
}

/* Columns of pixels at a border, tap by tap. */
static void put_border(blocks_t *b, const place_t *places, uint32_t n) {
    const bp_conv_shape_t *s = &b->p->shape;
    int8_t *columns = b->columns;
    for (uint32_t group = 0; group < b->p->groups; ++group, columns += b->group_bytes) {
        uint32_t at = 0;
        for (uint32_t ky = 0; ky < s->window[0].kernel; ++ky) {
            const uint32_t y = ky * s->window[0].dilation;
            for (uint32_t kx = 0; kx < s->window[1].kernel; ++kx, at += b->channels) {
                const uint32_t right = kx * s->window[1].dilation;
                const uint32_t tap =
                    y * b->row_bytes + right * s->x_channels + group * b->channels;
                for (uint32_t i = 0; i < n; ++i) {
                    const bool is_inside = (uint32_t)places[i].top + y < s->x_height &&
                                           (uint32_t)places[i].left + right < s->x_width;
                    b->taps[i] = is_inside ? b->x + (size_t)(places[i].at + tap) : b->zeros;
                }
                put_tap(b, columns, at, n);
            }
        }
    }
}

/* A kernel row of a pixel at a border: where it is in x, or copied with zero points around it. */
static const int8_t *short_row(int8_t *copy, const blocks_t *b, const place_t *place, uint32_t y) {
    const bp_conv_shape_t *s = &b->p->shape;
    if ((uint32_t)place->top + y >= s->x_height) {
        return b->zeros;
    }
    uint32_t at = place->at + y * b->row_bytes;
    if ((uint32_t)place->left < b->columns_inside) {
        return b->x + (size_t)at;
    }
    int8_t *to = copy;
    const uint32_t end = (uint32_t)place->left + s->window[1].kernel;
    for (uint32_t column = (uint32_t)place->left; column != end; ++column) {
        for (uint32_t i = 0; i < b->channels; ++i, ++at) {
            *to++ = column < s->x_width ? b->x[(size_t)at] : b->p->x_zp;
        }
    }
    return copy;
}

/* The same as put_border, by whole kernel rows: for the few channels of a first layer. */
static void put_short_rows(blocks_t *b, const place_t *places, uint32_t n) {
    BP_ISA_BEGIN
    const bp_window_t *window = &b->p->shape.window[0];
    int8_t copies[BP_ISA_MOST_PIXELS][SHORT_ROW];
    b->run.n = b->runs.n;
    for (uint32_t ky = 0; ky < window->kernel; ++ky) {
        for (uint32_t i = 0; i < n; ++i) {
            b->taps[i] = short_row(copies[i], b, &places[i], ky * window->dilation);
        }
        BP_ISA_CONV_COLUMNS(b->columns, ky * b->run.n, b->taps, &b->run);
    }
}

/* The outputs of a block, group after group. */
static void put_outputs(blocks_t *b, int8_t *y, int32_t y_step) {
    BP_ISA_BEGIN
    const bp_conv_s8_t *p = b->p;
    bp_dense_s8_t *group = &b->group;
    const int8_t *columns = b->columns;
    BP_ISA_CONV_BLOCK(y, y_step, columns, group);
    if (p->groups == 1) {
        return;
    }
    for (uint32_t left = p->groups - 1u; left != 0; --left) {
        y += group->n_out;
        columns += b->group_bytes;
        bp_conv_next_group(group);
        BP_ISA_CONV_BLOCK(y, y_step, columns, group);
    }
    group->weights = p->weights;
    group->bias = p->bias;
    group->mult_q31 = p->mult_q31;
    group->lshift = p->lshift;
}

/* To a range that few convolutions have. */
static void clamp_outputs(int8_t *y, int32_t y_step, uint32_t n, const bp_conv_s8_t *p) {
    for (; n != 0; --n, y += y_step) {
        for (uint32_t j = 0; j < p->shape.y_channels; ++j) {
            y[j] = (int8_t)bp_clamp(y[j], p->y_min, p->y_max);
        }
    }
}

/* ---- blocks whose inputs are all the same, as in the background of images ---- */

/* All inputs that a block takes have one value; x: the first of them. */
static bool is_flat(const int8_t *x, const blocks_t *b) {
    const int8_t value = *x;
    for (uint32_t rows = b->runs.count; rows != 0; --rows, x += (size_t)b->runs.pitch) {
        for (const int8_t *at = x, *end = x + (size_t)b->flat_bytes; at != end; ++at) {
            if (*at != value) {
                return false;
            }
        }
    }
    return true;
}

static void copy_outputs(int8_t *y, int32_t y_step, uint32_t n, const int8_t *from, uint32_t count) {
    for (; n != 0; --n, y += y_step) {
        for (uint32_t j = 0; j < count; ++j) {
            y[j] = from[j];
        }
    }
}

/* The outputs at y if the last flat block had the same value; else it is remembered, and false. at:
 * the first pixel's first input. */
static bool repeats(blocks_t *b, int8_t *y, int32_t y_step, uint32_t n, const int8_t *at) {
    const int8_t *x = at + b->flat_first;
    if (!is_flat(x, b)) {
        return false;
    }
    if (b->flat_y != NULL && b->flat_value == *x) {
        copy_outputs(y, y_step, n, b->flat_y, b->p->shape.y_channels);
        return true;
    }
    b->flat_value = *x;
    b->flat_y = y;
    return false;
}

/* Most blocks are not flat, and their first and last input tell. */
static inline bool may_repeat(const blocks_t *b, const int8_t *at) {
    return FINDS_FLAT && b->flat_bytes != 0 && at[b->flat_first] == at[b->flat_last];
}

/* Blocks of one row of pixels whose taps are all inside, which most blocks are; at most `most` pixels.
 * How many pixels these are. */
APART static uint32_t put_blocks_of_row(blocks_t *b, walk_t *walk, int8_t *y, int32_t y_step,
                                        uint32_t most) {
    BP_ISA_BEGIN
    const uint32_t n = BP_ISA_CONV_PIXELS;
    const int32_t at_step = (int32_t)walk->at_step, to_last = (int32_t)(n - 1) * walk->left_step;
    const uint32_t in_row = walk->columns_left < most ? walk->columns_left : most;
    const int8_t *at = b->x + (size_t)walk->place.at;
    int32_t last = walk->place.left + to_last;
    uint32_t left = in_row;
    if (!b->is_whole || (uint32_t)walk->place.top >= b->rows_inside ||
        (uint32_t)walk->place.left >= b->columns_inside) {
        return 0;
    }
    for (; left >= n && (uint32_t)last < b->columns_inside; left -= n) {
        if (may_repeat(b, at) && repeats(b, y, y_step, n, at)) {
            at += (int32_t)n * at_step;
        } else {
            for (uint32_t i = 0; i < n; ++i, at += at_step) {
                b->taps[i] = at;
            }
            BP_ISA_CONV_COLUMNS(b->columns, 0, b->taps, &b->runs);
            BP_ISA_CONV_BLOCK(y, y_step, b->columns, &b->group);
            if (b->clamps) {
                clamp_outputs(y, y_step, n, b->p);
            }
        }
        y += (int32_t)n * y_step;
        last += (int32_t)n * walk->left_step;
    }
    const uint32_t done = in_row - left;
    if (done == walk->columns_left) {
        next_row(walk);
    } else {
        walk->columns_left -= done;
        walk->place.left = last - to_last;
        walk->place.at += done * walk->at_step;
    }
    return done;
}

/* The taps of a kernel row are neighbours in x unless there are gaps or other groups between them. */
static void begin_runs(blocks_t *b) {
    const bp_window_t *window = b->p->shape.window;
    b->has_short_rows = false;
    b->is_whole = b->p->groups == 1 && window[1].dilation == 1;
    if (b->is_whole) {
        b->parts = 1;
        b->runs.n = window[1].kernel * b->channels;
        b->runs.count = window[0].kernel;
        b->runs.pitch = b->row_step;
        b->has_short_rows = b->runs.n <= SHORT_ROW;
    } else {
        b->parts = window[0].kernel;
        b->runs.n = b->channels;
        b->runs.count = window[1].kernel;
        b->runs.pitch = window[1].dilation * b->p->shape.x_channels;
    }
}

static void begin(blocks_t *b, walk_t *walk, int32_t direction) {
    BP_ISA_BEGIN
    const bp_conv_shape_t *s = &b->p->shape;
    b->group = bp_conv_first_group(b->p);
    b->group.fast = BP_ISA_CONV_KIND(&b->group, s->y_channels);
    b->channels = s->x_channels / b->p->groups;
    b->row_bytes = s->x_width * s->x_channels;
    b->row_step = s->window[0].dilation * b->row_bytes;
    b->runs.row_stride = b->group.row_stride;
    b->run = (bp_runs_t){.count = 1, .pitch = 0, .row_stride = b->runs.row_stride};
    b->group_bytes = BP_CONV_COLUMNS * b->runs.row_stride;
    b->rows_inside = inside(&s->window[0], s->x_height);
    b->columns_inside = inside(&s->window[1], s->x_width);
    begin_runs(b);
    b->flat_y = NULL;
    const uint32_t reach = (BP_ISA_CONV_PIXELS - 1u) * s->window[1].stride;
    b->flat_bytes = s->x_channels == 1 && b->is_whole ? reach + b->runs.n : 0;
    b->flat_first = direction < 0 ? -(int32_t)reach : 0;
    b->flat_last =
        b->flat_first + (int32_t)((b->runs.count - 1) * b->runs.pitch + b->flat_bytes - 1);
    for (uint32_t i = 0; i < ZEROS; ++i) {
        b->zeros[i] = b->p->x_zp;
    }
    walk->p = b->p;
    walk->direction = direction;
    walk->left_step = direction * s->window[1].stride;
    walk->at_step = (uint32_t)walk->left_step * s->x_channels;
    walk->image = direction < 0 ? s->batch - 1 : 0;
    begin_image(walk);
}

uint32_t bp_conv_blocks(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p,
                        uint32_t pixels, int32_t direction) {
    BP_ISA_BEGIN
    const uint32_t n = BP_ISA_CONV_PIXELS;
    const int32_t y_step = direction * (int32_t)p->shape.y_channels;
    uint32_t done = 0;
    blocks_t b;
    walk_t walk;
    b.p = p;
    b.x = x;
    b.columns = columns;
    b.clamps = p->y_min != -128 || p->y_max != 127;
    begin(&b, &walk, direction);
    while (pixels - done >= n) {
        place_t places[BP_ISA_MOST_PIXELS];
        const uint32_t in_row = put_blocks_of_row(&b, &walk, y, y_step, pixels - done);
        y += (int32_t)in_row * y_step;
        done += in_row;
        if (in_row != 0) {
            continue;
        }
        if (take_places(places, n, &walk, &b)) {
            put_inside(&b, places, n);
        } else if (b.has_short_rows) {
            put_short_rows(&b, places, n);
        } else {
            put_border(&b, places, n);
        }
        put_outputs(&b, y, y_step);
        if (b.clamps) {
            clamp_outputs(y, y_step, n, p);
        }
        y += (int32_t)n * y_step;
        done += n;
    }
    return done;
}
