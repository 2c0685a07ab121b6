#include "ops/ops.h"
#include "ops/window.h"

/* Ops that work row by row. Where a window moves over images, its words are at the same place of the
 * record; element by element, an output row takes the input row at its place. */

enum { WINDOW = 8 };

bool bp_op_rows(bp_op_rows_t *rows, const bp_op_t *op) {
    bp_window_t window[2];
    switch (op->code) {
    case BP_OP_CONV_S8:
    case BP_OP_DEPTHWISE_S8:
    case BP_OP_POOL_S8:
        bp_window_record(window, op->params + WINDOW);
        rows->reach = (uint32_t)(window[0].kernel - 1u) * window[0].dilation + 1;
        rows->stride = window[0].stride;
        rows->pad = window[0].pad;
        rows->by_element = false;
        return true;
    case BP_OP_RESCALE:
    case BP_OP_TABLE_S8:
        *rows = (bp_op_rows_t){1, 1, 0, true};
        return true;
    default:
        return false;
    }
}
