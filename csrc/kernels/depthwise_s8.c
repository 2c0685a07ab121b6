#include <byteprop/kernels.h>

#include "kernels/depthwise.h"

/* The two ways are in files of their own, so that neither takes stack while the other runs. */

uint32_t bp_depthwise_scratch(const bp_conv_shape_t *shape) {
    const uint32_t rows = bp_rows_scratch(shape);
    const uint32_t planes = bp_has_planes(shape) ? bp_planes_scratch(shape) : 0;
    return rows > planes ? rows : planes;
}

uint32_t bp_depthwise_row_scratch(const bp_conv_shape_t *shape) {
    bp_conv_shape_t row = *shape;
    row.y_height = 1;
    return bp_has_planes(shape) ? bp_planes_scratch(&row) : 1; /* no tensor is empty */
}

void bp_depthwise_row_s8(int8_t *y, const int8_t *x, int8_t *scratch, const bp_conv_s8_t *p) {
    if (p->fast && bp_has_planes(&p->shape)) {
        bp_depthwise_by_planes(y, x, scratch, bp_depthwise_row_scratch(&p->shape), p);
    } else {
        bp_depthwise_by_rows(y, x, scratch, p);
    }
}

void bp_depthwise_s8(int8_t *y, const int8_t *x, int8_t *scratch, const bp_conv_s8_t *p) {
    if (p->fast && bp_has_planes(&p->shape) && bp_planes_are_apart(y, x, &p->shape)) {
        bp_depthwise_by_planes(y, x, scratch, bp_depthwise_scratch(&p->shape), p);
    } else {
        bp_depthwise_by_rows(y, x, scratch, p);
    }
}
