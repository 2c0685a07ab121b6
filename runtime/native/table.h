/* Tables of functions that TensorFlow Lite computes in float32: for each int8 input of an op its
 * output. The host makes them when it makes a model, with the C library's functions as TensorFlow
 * Lite does. docs/numerics.md has the formulas. */
#ifndef BYTEPROP_NATIVE_TABLE_H
#define BYTEPROP_NATIVE_TABLE_H

#include <byteprop/model.h>
#include <stdint.h>

/* cdef: begin */
/* Scales and zero points of an op's input and output. */
typedef struct {
    float x_scale;
    float y_scale;
    int32_t x_zp;
    int32_t y_zp;
} bp_function_t;

/* Functions of C libraries may differ by as many steps of float32. */
enum { BP_FUNCTION_ULPS = 4 };

/* values int8 [256]: the output for each input, by the input as an unsigned byte. low, high: the
 * same where the function is off by BP_FUNCTION_ULPS steps. function: BP_FUNCTION_LOGISTIC,
 * BP_FUNCTION_TANH or BP_FUNCTION_ELU. */
void bp_function_table(int8_t *values, int8_t *low, int8_t *high, int function,
                       const bp_function_t *p);
/* cdef: end */

#endif
