/* The dense op's record, for training too. */
#ifndef BYTEPROP_OPS_DENSE_H
#define BYTEPROP_OPS_DENSE_H

#include <byteprop/model.h>

/* Where the record's parameters have its flags. */
enum { BP_DENSE_FLAGS = 2 };
/* Parts of a dense op in the data section. */
enum { BP_DENSE_PARTS = 5, BP_DENSE_MULTIPLIERS = 2, BP_DENSE_LSHIFTS = 3 };

/* Offsets of its parts in the image: weights, biases, multipliers, shifts, weight scales. */
typedef struct {
    uint32_t part[BP_DENSE_PARTS];
    int16_t y_min;
    int16_t y_max;
    uint8_t layout;
    uint8_t activation;
    uint8_t flags;
} bp_dense_record_t;

void bp_dense_record(bp_dense_record_t *record, const bp_op_t *op);
/* Bytes of a part of a layer with these sizes and flags. */
uint32_t bp_dense_part_bytes(uint8_t part, uint32_t n_in, uint32_t n_out, uint8_t flags);

#endif
