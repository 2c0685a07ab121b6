#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

#include "conv.h"

/* How far output and input of a convolution must be apart.
 *
 * Forward, when outputs up to pixel q have been written, q itself is still to be read: q * y_channels
 * bytes are written, and from the first byte of q's window on, everything is needed. The distance is
 * the greatest difference. It is a sum of one term for the image, one for the row and one for the
 * column of q, each of them concave, because what is written grows evenly and the window begins at 0
 * until the padding is passed. So each is greatest at an end or where the padding is passed, and
 * their greatest values may be added. Backward, the same holds for the window's end, which grows
 * until it reaches the last row or column. */

static int32_t greater(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static int32_t lesser(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* One axis of an image: outputs i = 0 .. n - 1, `written` bytes each; windows that begin at
 * i * stride - pad of `size` inputs, `needed` bytes each. */
typedef struct {
    int32_t n;
    int32_t size;
    int32_t stride;
    int32_t pad;
    int32_t reach;
    int32_t written;
    int32_t needed;
} axis_t;

static axis_t axis_of(const bp_window_t *window, uint32_t n, uint32_t size, uint32_t written,
                      uint32_t needed) {
    return (axis_t){
        .n = (int32_t)n,
        .size = (int32_t)size,
        .stride = window->stride,
        .pad = window->pad,
        .reach = (int32_t)bp_reach(window),
        .written = (int32_t)written,
        .needed = (int32_t)needed,
    };
}

static axis_t rows_of(const bp_conv_shape_t *s) {
    return axis_of(&s->window[0], s->y_height, s->x_height, s->y_width * s->y_channels,
                   s->x_width * s->x_channels);
}

static axis_t columns_of(const bp_conv_shape_t *s) {
    return axis_of(&s->window[1], s->y_width, s->x_width, s->y_channels, s->x_channels);
}

/* Written before output i, less the beginning of its window. */
static int32_t ahead_at(const axis_t *a, int32_t i) {
    return i * a->written - greater(0, i * a->stride - a->pad) * a->needed;
}

/* The end of the window of output i, less what precedes the output. */
static int32_t behind_at(const axis_t *a, int32_t i) {
    return lesser(a->size, i * a->stride - a->pad + a->reach) * a->needed - i * a->written;
}

/* The greatest of a concave function whose slope changes at or just after `kink`. */
static int32_t greatest(int32_t (*at)(const axis_t *, int32_t), const axis_t *a, int32_t kink) {
    const int32_t last = a->n - 1;
    const int32_t near = lesser(greater(kink, 0), last);
    int32_t ends = greater(at(a, 0), at(a, last));
    return greater(ends, greater(at(a, near), at(a, lesser(near + 1, last))));
}

/* Bytes by which y is larger than x. */
static int32_t growth(const bp_conv_shape_t *s) {
    return (int32_t)(s->y_height * s->y_width * s->y_channels) -
           (int32_t)(s->x_height * s->x_width * s->x_channels);
}

int bp_conv_is_backward(const bp_conv_shape_t *shape) {
    return growth(shape) > 0;
}

/* The last output whose window ends within the axis. */
static int32_t last_inside(const axis_t *a) {
    return (a->size + a->pad - a->reach) / a->stride;
}

/* The first image of a batch has the greatest difference: in either direction, the later ones are
 * written further and further away from what is still to be read. */
uint32_t bp_conv_distance(const bp_conv_shape_t *shape) {
    const axis_t rows = rows_of(shape), columns = columns_of(shape);
    int32_t distance;
    if (bp_conv_is_backward(shape)) {
        distance = greatest(behind_at, &rows, last_inside(&rows)) - rows.needed +
                   greatest(behind_at, &columns, last_inside(&columns)) - columns.written;
    } else {
        distance = greatest(ahead_at, &rows, rows.pad / rows.stride) +
                   greatest(ahead_at, &columns, columns.pad / columns.stride);
    }
    return (uint32_t)greater(0, distance);
}

/* Before an output row is written, all input rows that it takes have been read; the next is read
 * afterwards. The difference grows or falls evenly from row to row, and from image to image. */
uint32_t bp_depthwise_distance(const bp_conv_shape_t *shape) {
    const axis_t rows = rows_of(shape);
    const int32_t last = (rows.size + rows.pad - rows.reach - 1) / rows.stride;
    int32_t distance = 0;
    if (rows.size + rows.pad > rows.reach) {
        const int32_t row_ends[2] = {0, lesser(last, rows.n - 1)};
        for (uint8_t i = 0; i < 2; ++i) {
            const int32_t row = row_ends[i];
            const int32_t read = row * rows.stride - rows.pad + rows.reach;
            distance = greater(distance, (row + 1) * rows.written - read * rows.needed);
        }
    }
    return (uint32_t)(distance + greater(0, growth(shape)) * (int32_t)(shape->batch - 1));
}
