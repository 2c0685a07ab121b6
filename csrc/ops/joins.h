/* Records of ops that join branches or pad, as inference and training read them. */
#ifndef BYTEPROP_OPS_JOINS_H
#define BYTEPROP_OPS_JOINS_H

#include <byteprop/kernels.h>

#include "ops/ops.h"

/* Where an ADD's parameters have its multipliers and shifts: of the inputs, and of the output. */
enum { BP_ADD_SCALINGS = 8 };
/* The kernel's parameters. */
void bp_add_record(bp_add_t *add, const bp_model_t *model, const bp_op_t *op);
uint8_t bp_add_activation(const bp_op_t *op);

/* The op, from x to y. */
void bp_pad_8(uint8_t *y, const uint8_t *x, const bp_model_t *model, const bp_op_t *op);
/* Where in the output the input's first value goes. */
uint32_t bp_pad_at(const bp_model_t *model, const bp_op_t *op);

/* A row of the output is a row of each input, one behind the other. */
uint32_t bp_concatenate_rows(const bp_model_t *model, const bp_op_t *op);

#endif
