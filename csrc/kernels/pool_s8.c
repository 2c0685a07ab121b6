#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stddef.h>

#include "kernels/window.h"

/* The taps of one output pixel that are inside of the input. */
typedef struct {
    uint32_t height;
    uint32_t width;
    uint32_t row_bytes; /* from one row of the input to the next */
    uint32_t channels;  /* from one pixel to the next */
} patch_t;

/* Rounded half away from zero. |sum| <= 2^31, n <= 2^24: nothing overflows. */
static int32_t quotient(int32_t sum, uint32_t n) {
    const uint32_t size = sum < 0 ? 0 - (uint32_t)sum : (uint32_t)sum;
    const int32_t result = (int32_t)((size + n / 2) / n);
    return sum < 0 ? -result : result;
}

static int32_t average_of(const int8_t *x, const patch_t *patch) {
    int32_t sum = 0;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_bytes) {
        for (uint32_t u = 0; u < patch->width; ++u) {
            sum += x[(size_t)(u * patch->channels)];
        }
    }
    return quotient(sum, patch->height * patch->width);
}

static int32_t max_of(const int8_t *x, const patch_t *patch) {
    int32_t max = INT8_MIN;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_bytes) {
        for (uint32_t u = 0; u < patch->width; ++u) {
            const int8_t value = x[(size_t)(u * patch->channels)];
            max = value > max ? value : max;
        }
    }
    return max;
}

/* One image; returns the end of its output. */
static int8_t *pool(int8_t *y, const int8_t *x, const bp_pool_t *p) {
    const uint32_t row_bytes = p->x_width * p->channels;
    for (uint32_t v = 0; v < p->y_height; ++v) {
        const bp_taps_t rows = bp_window_taps(&p->window[0], v, p->x_height);
        for (uint32_t u = 0; u < p->y_width; ++u) {
            const bp_taps_t columns = bp_window_taps(&p->window[1], u, p->x_width);
            const patch_t patch = {rows.end - rows.begin, columns.end - columns.begin, row_bytes,
                                   p->channels};
            const int8_t *corner = x + (size_t)(rows.at * row_bytes + columns.at * p->channels);
            for (uint32_t c = 0; c < p->channels; ++c) {
                const int32_t value =
                    p->is_max ? max_of(corner + c, &patch) : average_of(corner + c, &patch);
                *y++ = (int8_t)bp_clamp(value, p->y_min, p->y_max);
            }
        }
    }
    return y;
}

void bp_pool_s8(int8_t *y, const int8_t *x, const bp_pool_t *p) {
    for (uint32_t i = 0; i < p->batch; ++i) {
        y = pool(y, x, p);
        x += (size_t)(p->x_height * p->x_width * p->channels);
    }
}
