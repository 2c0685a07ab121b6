/* The softmax op's record, for training too. */
#ifndef BYTEPROP_OPS_SOFTMAX_H
#define BYTEPROP_OPS_SOFTMAX_H

#include <byteprop/model.h>

enum { BP_SOFTMAX_TABLE_BYTES = 4 * 256 };

/* Offset of the table of exponentials in the image. */
static inline uint32_t bp_softmax_table(const bp_op_t *op) {
    return BP_ROM_U32(op->params);
}
/* Outputs that add up to 1. */
uint32_t bp_softmax_classes(const bp_model_t *model, const bp_op_t *op);
/* beta as float32 bits, which inference does not read. */
static inline uint32_t bp_softmax_beta_f32(const bp_op_t *op) {
    return BP_ROM_U32(op->params + 4);
}

#endif
