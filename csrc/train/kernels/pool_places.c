#include "kernels/window.h"
#include "train/kernels/kernels.h"

/* One output pixel: the first tap of the window, row by row, that is a channel's greatest. */
static void put_pixel(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p,
                      const bp_taps_t *rows, const bp_taps_t *columns) {
    const uint32_t row_step = p->x_width * p->channels;
    const int8_t *corner = x + (size_t)(rows->at * row_step + columns->at * p->channels);
    for (uint32_t c = 0; c < p->channels; ++c) {
        const int8_t *row = corner + (size_t)c;
        int32_t best = INT8_MIN - 1;
        for (uint32_t dy = rows->begin; dy < rows->end; ++dy, row += row_step) {
            const int8_t *tap = row;
            for (uint32_t dx = columns->begin; dx < columns->end; ++dx, tap += p->channels) {
                if (*tap > best) {
                    best = *tap;
                    places[c] = (uint8_t)(dy * p->window[1].kernel + dx);
                }
            }
        }
        y[c] = (int8_t)bp_clamp(best, p->y_min, p->y_max);
    }
}

void bp_pool_places(int8_t *y, uint8_t *places, const int8_t *x, const bp_pool_t *p) {
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
