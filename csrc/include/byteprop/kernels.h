/* The int8 kernels. They are void and trust their arguments: the model reader has checked what
 * comes from a file or a wire. The plain C in kernels/ is the definition of every result; what
 * isa/ supplies equals it bit for bit. Arguments: outputs, inputs, parameters. */
#ifndef BYTEPROP_KERNELS_H
#define BYTEPROP_KERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
#define BP_DENSE_MAX_INPUTS 65532 /* |sum| <= 65532 * 128 * 128 < 2^31, and a stride in 16 bits */
#define BP_DENSE_MAX_OUTPUTS 65535
#define BP_SOFTMAX_MAX_ELEMS 511

/* One dense layer as it lies in the model image; all pointers are ROM (see config.h).
 * y[j] = clamp(requant(bias[j] + sum_i w[j][i] * x[i], mult, lshift) + y_zp, y_min, y_max).
 * The input's zero point is folded into the bias when the image is made. */
typedef struct {
    const uint8_t *weights;  /* int8 [n_out][row_stride], 4-byte aligned; columns from n_in on are 0 */
    const uint8_t *bias;     /* int32 [n_out], 4-byte aligned: bias - x_zp * sum_i w[j][i], mod 2^32 */
    const uint8_t *mult_q31; /* int32 [n_out] when per_channel, else [1]; 4-byte aligned */
    const uint8_t *lshift;   /* int8 [n_out] when per_channel, else [1] */
    uint16_t n_in;           /* 1 .. BP_DENSE_MAX_INPUTS */
    uint16_t n_out;          /* 1 .. BP_DENSE_MAX_OUTPUTS */
    uint16_t row_stride;     /* n_in rounded up to a multiple of 4 */
    uint8_t per_channel;     /* 1: one multiplier a row */
    int8_t y_zp;
    int8_t y_min; /* fused activation's range */
    int8_t y_max;
} bp_dense_s8_t;

/* Dense int8: y int8 [n_out], x int8 [n_in]; y and x must not overlap. Uses the fastest
 * row-block primitive of the CPU. Source: TensorFlow Lite FULLY_CONNECTED, reference kernel. */
void bp_dense_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p);

/* Element-wise y = clamp(requant(x - x_zp) + y_zp, y_min, y_max) over n elements of 8 bits: integer
 * QUANTIZE (int8 <-> uint8, or another scale), and RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1 on their
 * own. x_unsigned and y_unsigned say how the bytes are read and written. In place is allowed.
 * Source: TensorFlow Lite Requantize and QuantizedReluX. */
typedef struct {
    int32_t mult_q31;
    int8_t lshift;
    uint8_t x_unsigned;
    uint8_t y_unsigned;
    int16_t x_zp; /* -128 .. 255 */
    int16_t y_zp;
    int16_t y_min;
    int16_t y_max;
} bp_rescale_t;
void bp_rescale_8(uint8_t *y, const uint8_t *x, uint32_t n, const bp_rescale_t *p);

/* Softmax int8 over n logits, 1 .. BP_SOFTMAX_MAX_ELEMS; the output has scale 1/256 and zero point -128.
 * exp_q31: ROM int32 [256], 4-byte aligned: exp(-d * beta * scale) in Q0.31 for d = max - x, 0 where
 * TensorFlow Lite's diff_min cuts off, made by bp_softmax_exp_table. In place is allowed.
 * From 512 equal logits on, TensorFlow Lite shifts by more than 31 bits, which C leaves undefined. */
void bp_softmax_s8(int8_t *y, const int8_t *x, const uint8_t *exp_q31, uint16_t n);

/* Fills exp_q31[256] as gemmlowp's exp_on_negative_values does for inputs rescaled to Q5.26 by
 * mult_q31 * 2^lshift; entries d <= -diff_min only, the rest is 0. Runs where models are made, not on
 * the device. diff_min <= 0. */
void bp_softmax_exp_table(int32_t *exp_q31, int32_t mult_q31, int8_t lshift, int32_t diff_min);

/* Row-block primitive, the seam for tuned code: acc[r] = sum_i w[r * row_stride + i] * x[i] for
 * 4 rows, n_in columns. bp_dot_rows_s8 is the plain C definition. */
void bp_dot_rows_s8(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                    uint16_t n_in);

/* Which row-block primitives bp_dense_s8 uses: "portable", or an instruction set's name. */
const char *bp_isa_name(void);
/* All that this build has and this CPU can run, best first; NULL from the end on. */
const char *bp_isa_available(int index);
/* Picks others, for tests and measurements. BP_OK, or BP_E_UNSUPPORTED when this build or this CPU
 * does not have them. */
int bp_isa_select(const char *name);
/* cdef: end */

/* One entry of bp_softmax_exp_table, for d = 0 .. 255. */
int32_t bp_softmax_exp(int32_t d, int32_t mult_q31, int8_t lshift, int32_t diff_min);

#ifdef __cplusplus
}
#endif
#endif
