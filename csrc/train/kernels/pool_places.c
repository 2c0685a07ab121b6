#include "kernels/squares.h"
#include "kernels/window.h"
#include "train/kernels/kernels.h"

/* Of n channels, where a tap is greater than what came before it. */
static void take_greater(int8_t *y, uint8_t *places, const int8_t *tap, uint32_t n, uint8_t place) {
    for (uint32_t c = 0; c < n; ++c) {
        if (tap[c] > y[c]) {
            y[c] = tap[c];
            places[c] = place;
        }
    }
}

/* One output pixel: the first tap of the window, row by row, that is a channel's greatest. */
static void put_pixel(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p,
                      const bp_taps_t *rows, const bp_taps_t *columns) {
    const uint32_t n = p->channels, width = p->window[1].kernel;
    const int8_t *row = x + (size_t)((rows->at * p->x_width + columns->at) * n);
    const uint8_t first = (uint8_t)(rows->begin * width + columns->begin);
    for (uint32_t c = 0; c < n; ++c) {
        y[c] = row[c];
        places[c] = first;
    }
    for (uint32_t dy = rows->begin; dy < rows->end; ++dy, row += (size_t)(p->x_width * n)) {
        const int8_t *tap = row;
        for (uint32_t dx = columns->begin; dx < columns->end; ++dx, tap += n) {
            take_greater(y, places, tap, n, (uint8_t)(dy * width + dx));
        }
    }
}

static void put_pixels(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p) {
    for (uint32_t v = 0; v < p->y_height; ++v) {
        const bp_taps_t rows = bp_window_taps(&p->window[0], v, p->x_height);
        for (uint32_t u = 0; u < p->y_width; ++u) {
            const bp_taps_t columns = bp_window_taps(&p->window[1], u, p->x_width);
            put_pixel(y, places, x, p, &rows, &columns);
            y += p->channels;
            places += p->channels;
        }
    }
}

void bp_pool_places(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p) {
    if (bp_pool_has_squares(p)) {
        bp_pool_squares(y, places, x, p);
    } else {
        put_pixels(y, places, x, p);
    }
    if (p->y_min != INT8_MIN || p->y_max != INT8_MAX) {
        for (int8_t *end = y + (size_t)(p->y_height * p->y_width * p->channels); y != end; ++y) {
            *y = (int8_t)bp_clamp(*y, p->y_min, p->y_max);
        }
    }
}
