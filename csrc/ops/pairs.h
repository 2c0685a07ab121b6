/* Element-wise ops of two inputs of int8: which shapes go together, and how the elements are walked.
 * An input is repeated along every dimension in which it has 1 and the output has more; shapes
 * are aligned at their last dimensions. An input may be a constant. */
#ifndef BYTEPROP_OPS_PAIRS_H
#define BYTEPROP_OPS_PAIRS_H

#include "ops/ops.h"

/* The shapes fit, and an input that shares bytes with the output has as many elements. */
bp_status_t bp_pairs_check(const bp_reader_t *reader, const bp_op_t *op);

/* Elements copied at once where a kernel cannot read them directly. */
enum { BP_PAIRS_BLOCK = 32 };

/* The walk: n elements at y, x[0] and x[1] for the kernel. The rest belongs to the walk. */
typedef struct {
    int8_t *y;
    const int8_t *x[2];
    uint32_t n;
    uint32_t left;
    uint32_t column; /* in the last dimension */
    uint32_t dims[BP_MODEL_MAX_RANK];
    uint32_t index[BP_MODEL_MAX_RANK];
    struct {
        const uint8_t *bytes;
        uint32_t steps[BP_MODEL_MAX_RANK]; /* 0: repeated */
        uint8_t is_rom;
        uint8_t is_copied;
    } from[2];
    int8_t copies[2][BP_PAIRS_BLOCK];
} bp_pairs_t;

void bp_pairs_begin(bp_pairs_t *walk, const bp_model_t *model, uint8_t *arena, const bp_op_t *op);
/* False when all elements are done. */
bool bp_pairs_next(bp_pairs_t *walk);

#endif
