#include "ops/ops.h"
#include "train/state.h"

/* Which layer reads what, and where errors are added up for a layer. Without branches each layer reads the
 * one before it. */

bp_train_edge_t *bp_train_all_edges(const bp_train_t *t) {
    return (bp_train_edge_t *)(void *)bp_train_layer(t, t->n_layers);
}

bp_train_edge_t *bp_train_first_edge(const bp_train_t *t, uint16_t l) {
    bp_train_edge_t *edge = bp_train_all_edges(t);
    while (edge->reader != l) {
        ++edge;
    }
    return edge;
}

uint16_t bp_train_count_readers(const bp_train_t *t, uint16_t l) {
    uint16_t n = 0;
    for (uint16_t i = 0; i < t->n_edges; ++i) {
        n = (uint16_t)(n + (bp_train_all_edges(t)[i].source == l));
    }
    return n;
}

const int8_t *bp_train_operand(const bp_train_t *t, uint16_t l, uint16_t i, const int8_t *x) {
    const bp_train_edge_t *edge = bp_train_first_edge(t, l) + i;
    if (edge->source != BP_TRAIN_OUTSIDE) {
        return bp_train_i8(t, bp_train_layer(t, edge->source)->y);
    }
    return edge->tensor == BP_TRAIN_NONE
               ? x
               : (const int8_t *)t->arena +
                     (size_t)bp_record_offset(bp_tensor_record(&t->model, edge->tensor));
}

const bp_train_layer_t *bp_train_below(const bp_train_t *t, uint16_t l) {
    const int has_branches = BP_TRAIN_HAS_BRANCHES && bp_train_has_branches(t);
    return bp_train_layer(t, has_branches ? bp_train_first_edge(t, l)->source : (uint16_t)(l - 1));
}

int32_t *bp_train_sums_of(const bp_train_t *t, const bp_train_layer_t *layer) {
    return bp_train_i32(t, bp_train_is_dense(layer) ? layer->delta : t->sums);
}

int bp_train_sends_none(uint16_t l, uint8_t view) {
    return l == 0 || (l == 1 && view != BP_VIEW_NONE);
}

int16_t *bp_train_errors_of(const bp_train_t *t, uint16_t l) {
    const int in_place = bp_train_sends_none(l, bp_train_layer(t, l)->view);
    return (int16_t *)(void *)bp_train_i32(t, in_place ? t->sums : t->errors);
}

int32_t *bp_train_sums_below(const bp_train_t *t, uint16_t l) {
    return bp_train_sums_of(t, bp_train_below(t, l));
}
