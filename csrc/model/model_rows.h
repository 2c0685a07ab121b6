/* What the reader checks of models that are fed row by row. */
#ifndef BYTEPROP_MODEL_ROWS_H
#define BYTEPROP_MODEL_ROWS_H

#include <byteprop/model.h>

#include "ops/ops.h"

/* The record of a tensor of kind ROWS, whose dims and elems agree. */
bp_status_t bp_check_rows_tensor(const uint8_t *record);
/* Op `index`, once its own check has passed; BP_OK for one that uses no such tensor. */
bp_status_t bp_check_rows_op(const bp_model_t *model, const bp_op_t *op, uint16_t index);

#endif
