#include "ops/ops.h"
#include "train/steps/steps.h"

/* Finds which layer reads what, in a model with branches. Errors of an output come from each of its readers,
 * last reader first. Those that come before the layer right behind it has been done wait in memory, which
 * is shared where they cannot wait at the same time. */

int bp_train_has_joins(const bp_model_t *model, uint16_t first_op) {
    bp_op_t op;
    for (uint16_t i = first_op; i < model->n_ops; ++i) {
        bp_model_op(&op, model, i);
        if (bp_train_is_join(op.code)) {
            return 1;
        }
    }
    return 0;
}

uint16_t bp_train_writer(const bp_model_t *model, uint16_t first_op, uint16_t reader,
                         uint16_t *tensor) {
    bp_op_t op;
    for (uint16_t i = reader; i > first_op;) {
        --i;
        bp_model_op(&op, model, i);
        if (bp_op_output(&op, 0) == *tensor) {
            if (op.code != BP_OP_RESHAPE) {
                return i;
            }
            *tensor = bp_op_input(&op, 0);
        }
    }
    return BP_TRAIN_NONE;
}

uint16_t bp_train_layer_of(const bp_model_t *model, uint16_t first_op, uint16_t op_index) {
    uint16_t n = 0;
    bp_op_t op;
    for (uint16_t i = first_op; i < op_index; ++i) {
        bp_model_op(&op, model, i);
        n = (uint16_t)(n + (op.code != BP_OP_RESHAPE));
    }
    return n;
}

uint16_t bp_train_op_of(const bp_model_t *model, uint16_t first_op, uint16_t layer) {
    uint16_t i = first_op;
    while (bp_train_layer_of(model, first_op, (uint16_t)(i + 1)) <= layer) {
        ++i;
    }
    return i;
}

int bp_train_reads_alone(const bp_model_t *model, uint16_t first_op, uint16_t writer,
                         uint16_t reader) {
    bp_op_t op;
    for (uint16_t i = (uint16_t)(writer + 1); i < model->n_ops; ++i) {
        bp_model_op(&op, model, i);
        for (uint16_t k = 0; i != reader && op.code != BP_OP_RESHAPE && k < op.n_inputs; ++k) {
            uint16_t tensor = bp_op_input(&op, (uint8_t)k);
            if (bp_train_writer(model, first_op, i, &tensor) == writer) {
                return 0;
            }
        }
    }
    return 1;
}

/* Where errors of n values wait from layer `reader` on for layer `source`, plus 1. Readers come in order. */
static uint32_t hold(bp_train_edges_t *edges, uint16_t source, uint16_t reader, uint32_t n) {
    if (source >= edges->to) {
        edges->used = 0; /* all others are done with before these come */
        edges->from = source;
    } else if (source < edges->from) {
        edges->used = edges->most;
        edges->from = source;
    }
    const uint32_t at = (uint32_t)edges->used;
    edges->used += (2 * (uint64_t)n + 3) & ~(uint64_t)3;
    edges->most = edges->used > edges->most ? edges->used : edges->most;
    edges->to = reader;
    return at + 1;
}

/* Fills where the tensor that an op reads comes from. */
static bp_status_t make_edge(bp_train_edge_t *edge, bp_train_edges_t *edges, const bp_train_t *t,
                             const bp_model_t *model, uint16_t op_index, uint16_t tensor) {
    const uint16_t writer = bp_train_writer(model, t->first_op, op_index, &tensor);
    const uint8_t *record = bp_tensor_record(model, tensor);
    if (writer == BP_TRAIN_NONE) {
        const int is_given = tensor == t->features || !t->runs_frozen;
        edge->source = BP_TRAIN_OUTSIDE;
        edge->tensor = is_given ? BP_TRAIN_NONE : tensor;
        edges->crosses = (uint8_t)(edges->crosses || !is_given);
        return bp_record_kind(record) == BP_KIND_CONSTANT ? BP_E_UNSUPPORTED : BP_OK;
    }
    const uint16_t source = bp_train_layer_of(model, t->first_op, writer);
    edge->source = (uint8_t)source;
    edges->unread[source >> 5] &= ~((uint32_t)1 << (source & 31));
    return BP_OK;
}

bp_status_t bp_train_add_edges(bp_train_edges_t *edges, const bp_train_t *t,
                               const bp_model_t *model, const bp_op_t *op, uint16_t op_index) {
    const uint16_t reader = bp_train_layer_of(model, t->first_op, op_index);
    int waits = 0; /* an edge to the layer right below was there already */
    edges->unread[reader >> 5] |= (uint32_t)1 << (reader & 31);
    for (uint16_t i = 0; i < op->n_inputs; ++i) {
        const uint16_t tensor = bp_op_input(op, (uint8_t)i);
        bp_train_edge_t edge = {{0, 0}, 0, BP_TRAIN_NONE, 0, (uint8_t)reader};
        BP_TRY(make_edge(&edge, edges, t, model, op_index, tensor));
        const int is_next = (uint16_t)(edge.source + 1) == reader;
        if (edge.source != BP_TRAIN_OUTSIDE && (!is_next || waits)) {
            edge.held = hold(edges, edge.source, reader,
                             bp_record_elems(bp_tensor_record(model, tensor)));
        }
        waits |= is_next;
        if (edges->edges != NULL) {
            edges->edges[edges->n] = edge;
        }
        ++edges->n;
    }
    return BP_OK;
}
