/* The float boundary of a model on the host: from real numbers to the integers of its inputs, and
 * from the integers of its outputs to real numbers. It computes in float32, which the C library in
 * csrc does not, so it belongs to the Python extension alone. docs/numerics.md has the formulas. */
#ifndef BYTEPROP_BOUNDARY_H
#define BYTEPROP_BOUNDARY_H

#include <byteprop/model.h>
#include <stdint.h>

/* cdef: begin */
/* An input of 8-bit integers. Value i of what is encoded is normalised by the constants
 * i mod period; period 0: not at all. */
typedef struct {
    float scale;
    int32_t zero_point;
    int32_t lowest; /* of the integer's type: -128 or 0 */
    uint32_t period;
    const float *sub;
    const float *mul;
} bp_boundary_t;

/* finite: how many values there are before the first that is NaN or infinite. outside: how many of
 * them lie beyond the range by more than a step. */
typedef struct {
    uint64_t finite;
    uint64_t outside;
} bp_encoded_t;

/* What is encoded. Pixels are bytes that stand for all of the range: 0 for the lowest integer. */
enum { BP_BOUNDARY_FLOAT32 = 0, BP_BOUNDARY_FLOAT64 = 1, BP_BOUNDARY_PIXELS = 2 };

/* n integers of n values of that source; what comes after `finite` is undefined. */
void bp_boundary_encode(uint8_t *y, const void *x, uint64_t n, int source,
                        const bp_boundary_t *boundary, bp_encoded_t *encoded);
/* Answers of n samples with one input and one output of 8 bits; stops at a value that is not finite.
 * reals: what each of the 256 bytes of the output stands for, y is float then; NULL for y in bytes.
 * prepared: the model, made by bp_prepare. scratch: room for BP_BOUNDARY_ROWS samples and their answers. */
void bp_boundary_predict(void *y, const void *x, uint32_t n, int source,
                         const bp_boundary_t *boundary, const float *reals,
                         const bp_model_t *model, const uint8_t *prepared, uint8_t *arena,
                         uint8_t *scratch, bp_encoded_t *encoded);
enum { BP_BOUNDARY_ROWS = 32 };
/* cdef: end */

#endif
