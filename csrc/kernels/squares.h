/* Maximum pools with the usual windows: 2 x 2, all of them inside of the image. */
#ifndef BYTEPROP_KERNELS_SQUARES_H
#define BYTEPROP_KERNELS_SQUARES_H

#include "isa/isa.h"
#include <byteprop/kernels.h>
#include <stddef.h>

static inline bool bp_pool_has_squares(const bp_pool_t *p) {
    const bp_window_t *rows = &p->window[0], *columns = &p->window[1];
    return rows->kernel == 2 && columns->kernel == 2 && rows->pad == 0 && columns->pad == 0 &&
           (p->y_height - 1) * rows->stride + 2 <= p->x_height &&
           (p->y_width - 1) * columns->stride + 2 <= p->x_width;
}

/* One image, not clamped; places as in bp_max_squares_t. */
static inline void bp_pool_squares(int8_t *y, uint8_t *places, const int8_t *x,
                                   const bp_pool_t *p) {
    const uint32_t row_bytes = p->x_width * p->channels, y_bytes = p->y_width * p->channels;
    const bp_squares_t squares = {
        .channels = p->channels,
        .windows = p->y_width,
        .step = p->window[1].stride * p->channels,
        .row_step = row_bytes,
    };
    for (uint32_t left = p->y_height; left != 0; --left, y += (size_t)y_bytes) {
        BP_ISA_MAX_SQUARES(y, places, x, &squares);
        x += (size_t)(p->window[0].stride * row_bytes);
        places = places == NULL ? NULL : places + (size_t)y_bytes;
    }
}

#endif
