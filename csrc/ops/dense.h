/* The dense op's record, for training too. */
#ifndef BYTEPROP_OPS_DENSE_H
#define BYTEPROP_OPS_DENSE_H

#include <byteprop/model.h>

/* Where the record's parameters have its flags. */
enum { BP_DENSE_FLAGS = 2 };
/* Parts of a dense op in the data section. */
enum { BP_DENSE_PARTS = 5, BP_DENSE_MULTIPLIERS = 2, BP_DENSE_LSHIFTS = 3 };

typedef struct {
    /* Offsets in the image: weights, biases, multipliers, shifts, weight scales. */
    uint32_t part[BP_DENSE_PARTS];
    uint32_t rows; /* that share the weights */
    uint32_t n_in; /* of one row */
    uint32_t n_out;
    int16_t x_zp;
    int16_t y_zp;
    int16_t y_min;
    int16_t y_max;
    uint8_t layout;
    uint8_t activation;
    uint8_t flags;
} bp_dense_record_t;

void bp_dense_record(bp_dense_record_t *record, const bp_model_t *model, const bp_op_t *op);
uint32_t bp_dense_part_bytes(const bp_dense_record_t *record, uint8_t part);

#endif
