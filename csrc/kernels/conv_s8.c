#include "conv.h"
#include "isa/isa.h"

/* Where the CPU has primitives for planes or blocks of pixels, FAST convolutions take those; the pixels
 * that fill no block, and all pixels of other convolutions, are computed one by one. */

uint32_t bp_conv_scratch(const bp_conv_shape_t *shape, uint16_t groups) {
    return BP_CONV_COLUMNS * groups * bp_conv_row_stride(shape, groups);
}

void bp_conv_s8(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p) {
    BP_ISA_BEGIN
    const bp_conv_shape_t *s = &p->shape;
    const uint32_t total = s->batch * s->y_height * s->y_width;
    const int32_t direction = bp_conv_is_backward(s) ? -1 : 1;
    uint32_t done = 0;
    if (BP_ISA_CONV_HAS_PLANES && p->fast && bp_conv_has_planes(p)) {
        bp_conv_by_planes(y, x, p, direction);
        return;
    }
    if (direction < 0) {
        y += (size_t)((total - 1) * s->y_channels);
    }
    if (BP_ISA_CONV_PIXELS != 0 && p->fast) {
        done = bp_conv_blocks(y, x, columns, p, total, direction);
        if (done == total) {
            return;
        }
        y += direction * (int32_t)(done * s->y_channels);
    }
    bp_conv_pixels(y, x, columns, p, direction < 0 ? total - 1 - done : done, total - done,
                   direction);
}
