/* A prepared op: what runs it, and memory for what it needs. */
#ifndef BYTEPROP_PREPARED_STEP_H
#define BYTEPROP_PREPARED_STEP_H

#include <byteprop/model.h>
#include <stddef.h>
#include <stdint.h>

#include "isa/packed.h"

typedef struct bp_step bp_step_t;
/* arena: of the model; work: what the op works in. */
typedef void bp_step_run_t(const bp_step_t *step, uint8_t *arena, uint8_t *work);

struct bp_step {
    bp_step_run_t *run; /* NULL: the op is run from the image */
    const void *constants;
};

/* Memory that is handed out piece by piece. With base NULL it is only counted, and pieces are NULL. */
typedef struct {
    uint8_t *base;
    size_t used;
    size_t work_bytes; /* the most that any op works in */
} bp_store_t;

/* Aligned as the base is. */
static inline uint8_t *bp_store_take(bp_store_t *store, size_t bytes) {
    uint8_t *piece = store->base == NULL ? NULL : store->base + store->used;
    store->used += (bytes + 63u) & ~(size_t)63;
    return piece;
}

static inline void bp_store_work(bp_store_t *store, size_t bytes) {
    store->work_bytes = bytes > store->work_bytes ? bytes : store->work_bytes;
}

/* Fill in a step if the CPU's packed code can run the op; else its run stays NULL. */
typedef void bp_step_prepare_t(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                               const bp_model_t *model, const bp_op_t *op);
bp_step_prepare_t bp_prepare_conv, bp_prepare_depthwise, bp_prepare_dense;

#endif
