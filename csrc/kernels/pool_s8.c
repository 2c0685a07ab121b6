#include "isa/isa.h"
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stddef.h>

#include "kernels/squares.h"
#include "kernels/steps.h"
#include "kernels/window.h"

/* Rounded half away from zero. |sum| <= 2^31, n <= 2^24: nothing overflows. */
static int32_t quotient(int32_t sum, uint32_t n) {
    const uint32_t size = sum < 0 ? 0 - (uint32_t)sum : (uint32_t)sum;
    const int32_t result = (int32_t)((size + n / 2) / n);
    return sum < 0 ? -result : result;
}

/* n channels of a pixel. The taps inside of the input are the patch. */
static void put_channels(int8_t *y, const int8_t *x, const bp_patch_t *patch, uint8_t n,
                         const bp_pool_t *p) {
    BP_ISA_BEGIN
    int32_t values[BP_PATCH_CHANNELS];
    if (p->is_max) {
        for (uint8_t c = 0; c < n; ++c) {
            values[c] = bp_max_of_patch(x + c, patch);
        }
    } else {
        BP_ISA_PATCH_SUMS(values, x, patch, n);
        for (uint8_t c = 0; c < n; ++c) {
            values[c] = quotient(values[c], patch->height * patch->width);
        }
    }
    for (uint8_t c = 0; c < n; ++c) {
        y[c] = (int8_t)bp_clamp(values[c], p->y_min, p->y_max);
    }
}

static void clamp(int8_t *y, uint32_t n, const bp_pool_t *p) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = (int8_t)bp_clamp(y[i], p->y_min, p->y_max);
    }
}

/* One image; returns the end of its output. */
static int8_t *pool(int8_t *y, const int8_t *x, const bp_pool_t *p) {
    const uint32_t row_bytes = p->x_width * p->channels;
    if (p->is_max && bp_pool_has_squares(p)) {
        const uint32_t n = p->y_height * p->y_width * p->channels;
        bp_pool_squares(y, NULL, x, p);
        clamp(y, n, p);
        return y + (size_t)n;
    }
    for (uint32_t v = 0; v < p->y_height; ++v) {
        const bp_taps_t rows = bp_window_taps(&p->window[0], v, p->x_height);
        for (uint32_t u = 0; u < p->y_width; ++u) {
            const bp_taps_t columns = bp_window_taps(&p->window[1], u, p->x_width);
            const bp_patch_t patch = {rows.end - rows.begin, columns.end - columns.begin, row_bytes,
                                      p->channels};
            const int8_t *corner = x + (size_t)(rows.at * row_bytes + columns.at * p->channels);
            for (uint32_t left = p->channels; left != 0;) {
                const uint8_t n = (uint8_t)(left < BP_PATCH_CHANNELS ? left : BP_PATCH_CHANNELS);
                put_channels(y, corner, &patch, n, p);
                y += n;
                corner += n;
                left -= n;
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
