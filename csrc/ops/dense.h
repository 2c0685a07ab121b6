/* The dense op's record, for training too. */
#ifndef BYTEPROP_OPS_DENSE_H
#define BYTEPROP_OPS_DENSE_H

#include <byteprop/model.h>

/* Where the record's parameters have its flags, and the offsets of its parts. */
enum { BP_DENSE_FLAGS = 2, BP_DENSE_PART = 8 };
/* Parts of a dense op in the data section: weights, biases, multipliers, shifts, weight scales. */
enum { BP_DENSE_PARTS = 5, BP_DENSE_MULTIPLIERS = 2, BP_DENSE_LSHIFTS = 3 };

typedef struct {
    uint32_t rows; /* that share the weights */
    uint32_t n_in; /* of one row */
    uint32_t n_out;
    int16_t x_zp;
    int16_t y_zp;
    int16_t y_min;
    int16_t y_max;
    uint8_t activation;
    uint8_t flags;
} bp_dense_record_t;

/* Offset of a part in the image. */
static inline uint32_t bp_dense_part(const bp_op_t *op, uint8_t part) {
    return BP_ROM_U32(op->params + BP_DENSE_PART + 4u * part);
}
void bp_dense_record(bp_dense_record_t *record, const bp_model_t *model, const bp_op_t *op);
uint32_t bp_dense_part_bytes(const bp_dense_record_t *record, uint8_t part);

#endif
