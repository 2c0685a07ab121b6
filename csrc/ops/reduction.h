/* Reductions in the records of ops: a mean or a maximum over axes. */
#ifndef BYTEPROP_OPS_REDUCTION_H
#define BYTEPROP_OPS_REDUCTION_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* From the record of x and the bits of its reduced axes. */
void bp_reduction(bp_reduction_t *reduction, const uint8_t *x, uint8_t axes);
/* axes are axes of x, at least one, and y has an element for each position of the others. */
bp_status_t bp_check_reduction(const uint8_t *x, const uint8_t *y, uint8_t axes);

#endif
