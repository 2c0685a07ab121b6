/* The loops of a bp_packed_depthwise_run_t, for the file of an instruction set, which defines before
 * it includes this:
 *
 *   PACKED_INLINE, vec_t, LANES       as for packed_conv.h
 *   scaling_t, load_scaling(s, first) the constants of a group's lanes
 *   four_taps_t                       4 taps of an image, of LANES channels
 *   load_quad(x, tap, n)              n of them, `tap` bytes apart; others have weight 0
 *   dot_quad(sum, quad, w)            sum + products with 4 * LANES weights
 *   put_outputs(y, sum, scaling, n)   n results */
#ifndef BYTEPROP_ISA_PACKED_DEPTHWISE_H
#define BYTEPROP_ISA_PACKED_DEPTHWISE_H

#include "isa/packed.h"

enum { QUAD_BYTES = 4 * LANES };

/* Three rows of up to four taps, the usual kernel: the quads of a row serve every output row that
 * takes it, as the walk goes down a column. stride: 1 or 2. */
PACKED_INLINE void put_column_of_3(int8_t *y, const uint8_t *x, const uint8_t *w,
                                   const scaling_t *scaling, uint32_t n,
                                   const bp_packed_depthwise_t *p, int taps, int stride) {
    const size_t pitch = p->x_pitch, tap = p->x_tap;
    four_taps_t first = load_quad(x, tap, taps), second;
    if (stride == 1) {
        second = load_quad(x + pitch, tap, taps);
    }
    for (uint32_t row = 0; row < p->y_rows; ++row, x += (size_t)stride * pitch) {
        if (stride != 1) {
            second = load_quad(x + pitch, tap, taps);
        }
        const four_taps_t third = load_quad(x + 2 * pitch, tap, taps);
        vec_t sum = dot_quad(scaling->bias, first, w);
        sum = dot_quad(sum, second, w + QUAD_BYTES);
        sum = dot_quad(sum, third, w + 2 * QUAD_BYTES);
        put_outputs(y, sum, scaling, n);
        y += (size_t)p->y_row;
        first = stride == 1 ? second : third;
        second = third;
    }
}

PACKED_INLINE void put_column(int8_t *y, const uint8_t *x, const uint8_t *weights,
                              const scaling_t *scaling, uint32_t n,
                              const bp_packed_depthwise_t *p) {
    for (uint32_t row = 0; row < p->y_rows; ++row, y += (size_t)p->y_row) {
        vec_t sum = scaling->bias;
        const uint8_t *w = weights, *line = x;
        for (uint16_t ky = 0; ky < p->kernel[0]; ++ky) {
            const uint8_t *tap = line;
            int left = p->kernel[1];
            for (; left >= 4; left -= 4, tap += 4 * (size_t)p->x_tap, w += QUAD_BYTES) {
                sum = dot_quad(sum, load_quad(tap, p->x_tap, 4), w);
            }
            if (left != 0) {
                sum = dot_quad(sum, load_quad(tap, p->x_tap, left), w);
                w += QUAD_BYTES;
            }
            line += (size_t)p->dilation * p->x_pitch;
        }
        put_outputs(y, sum, scaling, n);
        x += (size_t)p->stride * p->x_pitch;
    }
}

PACKED_INLINE uint32_t packed_lanes(uint32_t end, uint32_t at) {
    return end - at < LANES ? end - at : LANES;
}

PACKED_INLINE void packed_depthwise(int8_t *y, const uint8_t *image,
                                    const bp_packed_depthwise_t *p) {
    const uint32_t quads = p->kernel[0] * ((p->kernel[1] + 3u) / 4);
    const int is_usual = p->kernel[0] == 3 && p->kernel[1] == 3 && p->dilation == 1;
    for (uint32_t group = 0; group < p->groups; ++group) {
        const uint8_t *w = p->weights + (size_t)(group * quads) * QUAD_BYTES;
        const scaling_t scaling = load_scaling(&p->scaling, group * LANES);
        const uint8_t *x = image + (size_t)(group * LANES);
        for (uint32_t begin = 0; begin + group * LANES < p->y_row; begin += p->y_step) {
            const uint32_t at = begin + group * LANES;
            const uint32_t end = p->lanes_end == 0 ? p->y_row : begin + p->lanes_end;
            const uint32_t n = packed_lanes(end, at);
            if (is_usual && p->stride == 1) {
                put_column_of_3(y + (size_t)at, x, w, &scaling, n, p, 3, 1);
            } else if (is_usual && p->stride == 2) {
                put_column_of_3(y + (size_t)at, x, w, &scaling, n, p, 3, 2);
            } else {
                put_column(y + (size_t)at, x, w, &scaling, n, p);
            }
            x += (size_t)p->x_step;
        }
    }
}

#endif
