/* The rescale op's record, for training too. */
#ifndef BYTEPROP_OPS_RESCALE_H
#define BYTEPROP_OPS_RESCALE_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* The kernel's parameters, and the elements that it takes. */
uint32_t bp_rescale_record(bp_rescale_t *rescale, const bp_model_t *model, const bp_op_t *op);
/* BP_ACT_x; BP_ACT_NONE: an integer QUANTIZE. */
uint8_t bp_rescale_activation(const bp_op_t *op);

#endif
