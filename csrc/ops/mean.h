/* The mean op's record, for training too. */
#ifndef BYTEPROP_OPS_MEAN_H
#define BYTEPROP_OPS_MEAN_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* Where the record's parameters have its shift. */
enum { BP_MEAN_LSHIFT = 8 };

/* A bit for each axis that is reduced. */
static inline uint8_t bp_mean_axes(const bp_op_t *op) {
    return BP_ROM_U8(op->params);
}
/* The kernel's parameters. */
void bp_mean_record(bp_mean_t *mean, bp_reduction_t *reduction, const bp_model_t *model,
                    const bp_op_t *op);

#endif
