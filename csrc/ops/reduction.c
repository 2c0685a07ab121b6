#include "ops/reduction.h"

#include "ops/ops.h"

void bp_reduction(bp_reduction_t *reduction, const uint8_t *x, uint8_t axes) {
    *reduction = (bp_reduction_t){{1, 1, 1, 1, 1}};
    uint8_t last = 0; /* even: kept, odd: reduced; four axes lead to at most 4 */
    for (uint8_t axis = 0; axis < bp_record_rank(x); ++axis) {
        last = (uint8_t)(last + ((axes >> axis & 1) != (last & 1)));
        reduction->extent[last] *= bp_record_dim(x, axis);
    }
}

bp_status_t bp_check_reduction(const uint8_t *x, const uint8_t *y, uint8_t axes) {
    if (axes == 0 || axes >> bp_record_rank(x) != 0) {
        return BP_E_PARAM;
    }
    bp_reduction_t r;
    bp_reduction(&r, x, axes);
    return r.extent[0] * r.extent[2] * r.extent[4] == bp_record_elems(y) ? BP_OK : BP_E_SHAPE;
}
