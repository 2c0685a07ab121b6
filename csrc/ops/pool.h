/* The pool op's record, for training too. */
#ifndef BYTEPROP_OPS_POOL_H
#define BYTEPROP_OPS_POOL_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* The kernel's parameters. */
void bp_pool_record(bp_pool_t *pool, const bp_model_t *model, const bp_op_t *op);
/* BP_ACT_x. */
static inline uint8_t bp_pool_activation(const bp_op_t *op) {
    return BP_ROM_U8(op->params);
}
uint8_t bp_pool_is_max(const bp_op_t *op);

#endif
