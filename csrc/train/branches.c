#include "train/kernels/kernels.h"
#include "train/steps/steps.h"

/* Errors in a model with branches: an output that several layers read has errors from each of them,
 * which wait until all have come. */

#define CONTRIBUTION_LIMIT ((int32_t)1 << 15)

static int16_t *held_of(const bp_train_t *t, const bp_train_edge_t *edge) {
    return (int16_t *)(void *)bp_train_i32(t, edge->held);
}

/* ---- from a layer to one of its inputs ---- */

static void send(const bp_train_t *t, uint16_t l, bp_train_edge_t *edge, bp_real_t unit) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_layer_t *source = bp_train_layer(t, edge->source);
    int32_t *sums = bp_train_sums_of(t, source);
    edge->unit = unit;
    if (bp_train_is_join(layer->code)) {
        bp_train_split(t, l, (uint16_t)(edge - bp_train_first_edge(t, l)), sums);
    } else {
        edge->unit = bp_train_down(t, l, unit);
    }
    if (layer->view != BP_VIEW_NONE) {
        return; /* the errors of the pool are those of its input */
    }
    if (bp_train_count_readers(t, edge->source) == 1) {
        bp_train_mask(t, source, sums);
    }
    const uint32_t n = bp_train_outputs(source);
    const uint8_t shift = edge->held == 0 ? bp_block_scale(sums, n)
                                          : bp_block_narrow(held_of(t, edge), sums, n);
    edge->unit = bp_real_scale(edge->unit, shift);
}

/* To those that wait first: only then may the last one stay where all are made. */
static void send_all(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    for (uint8_t waits = 2; waits != 0; --waits) {
        const bp_train_edge_t *end = bp_train_all_edges(t) + (size_t)t->n_edges;
        for (bp_train_edge_t *edge = bp_train_first_edge(t, l); edge != end && edge->reader == l; ++edge) {
            if (edge->source != BP_TRAIN_OUTSIDE && (edge->held != 0) == (waits == 2)) {
                send(t, l, edge, unit);
            }
        }
    }
}

/* ---- what has come to a layer ---- */

static int is_greater(bp_real_t a, bp_real_t b) {
    return a.e > b.e || (a.e == b.e && a.m > b.m);
}

static void add_contribution(int32_t *sums, const int16_t *held, uint32_t n, bp_real_t ratio) {
    for (uint32_t i = 0; i < n; ++i) {
        sums[i] += bp_real_apply(held[i], ratio, CONTRIBUTION_LIMIT);
    }
}

/* The contribution that did not wait is in sums already, or none is. */
static void begin_sums(int32_t *sums, uint32_t n, const bp_train_edge_t *at_once, bp_real_t unit) {
    const bp_real_t none = {0, 0};
    const bp_real_t ratio = at_once == NULL ? none : bp_real_div(at_once->unit, unit);
    for (uint32_t i = 0; i < n; ++i) {
        sums[i] = bp_real_apply(sums[i], ratio, CONTRIBUTION_LIMIT);
    }
}

/* Makes sums of all contributions to layer l; returns their unit. */
static bp_real_t join(const bp_train_t *t, uint16_t l, int32_t *sums, uint32_t n) {
    const bp_train_edge_t *edges = bp_train_all_edges(t), *at_once = NULL;
    bp_real_t unit = {0, INT32_MIN};
    for (uint16_t i = 0; i < t->n_edges; ++i) {
        if (edges[i].source == l) {
            unit = is_greater(edges[i].unit, unit) ? edges[i].unit : unit;
            at_once = edges[i].held == 0 ? edges + i : at_once;
        }
    }
    begin_sums(sums, n, at_once, unit);
    for (uint16_t i = 0; i < t->n_edges; ++i) {
        if (edges[i].source == l && edges[i].held != 0) {
            add_contribution(sums, held_of(t, edges + i), n, bp_real_div(edges[i].unit, unit));
        }
    }
    return unit;
}

/* The errors of layer l; returns their unit. */
static bp_real_t gather(const bp_train_t *t, uint16_t l) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const bp_train_edge_t *edge = bp_train_all_edges(t);
    const uint32_t n = bp_train_outputs(layer);
    int32_t *sums = bp_train_sums_of(t, layer);
    while (edge->source != l) {
        ++edge;
    }
    bp_real_t unit = edge->unit;
    if (bp_train_layer(t, edge->reader)->view != BP_VIEW_NONE) {
        return unit;
    }
    if (bp_train_count_readers(t, l) > 1) {
        unit = join(t, l, sums, n);
        bp_train_mask(t, layer, sums);
        unit = bp_real_scale(unit, bp_block_scale(sums, n));
    } else if (edge->held != 0) {
        for (uint32_t i = 0; i < n; ++i) {
            sums[i] = held_of(t, edge)[i];
        }
    }
    if (!bp_train_is_dense(layer)) {
        (void)bp_block_narrow(bp_train_errors_of(t, l), sums, n); /* they fit already */
    }
    return unit;
}

void bp_train_learn_branches(const bp_train_t *t, const int8_t *x, bp_real_t unit, bp_real_t rate) {
    for (uint16_t l = t->n_layers; l > t->lowest;) {
        --l;
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        if (!layer->last) {
            unit = gather(t, l);
        }
        send_all(t, l, unit);
        if (bp_train_has_weights(layer) && !layer->frozen) {
            bp_train_learn(t, l, bp_train_input(t, l, x), bp_real_mul(rate, unit));
        }
    }
}
