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
#define BP_HALFWORD_ROWS 4u        /* of a block of rows of halfwords */
#define BP_HALFWORD_MAX_SUM 65000u /* of the magnitudes of the weights of such a row */
#define BP_SOFTMAX_MAX_ELEMS 4095
#define BP_BILINEAR_ONE 1024           /* one input position */
#define BP_BILINEAR_MAX_INPUTS 1048576 /* positions times BP_BILINEAR_ONE in 31 bits */
#define BP_CONV_COLUMNS 8 /* bytes of scratch memory of bp_conv_s8 for one input of an output pixel */

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
    uint8_t fast; /* every row meets the conditions of bp_requant_short */
} bp_dense_s8_t;

/* Dense int8: y int8 [n_out], x int8 [n_in]; y and x must not overlap. Uses the fastest
 * row-block primitive of the CPU. Source: TensorFlow Lite FULLY_CONNECTED, reference kernel. */
void bp_dense_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p);
/* The same for rows of halfwords (isa/primitives.h). p is fast; the bias is that of such rows. */
void bp_dense_halfwords_s8(int8_t *y, const int8_t *x, const bp_dense_s8_t *p);

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
/* The same from n int16 to int8; x [2 * n], of each the lower byte first. y may be x. */
void bp_rescale_16(uint8_t *y, const uint8_t *x, uint32_t n, const bp_rescale_t *p);

/* cdef: end */

/* The kernels of two inputs take n elements of each; y may be at the address of either.
 *
 * y = clamp(requant(e1 + e2, mult_q31[2], lshift[2]) + y_zp, y_min, y_max), e1 - e2 with subtract,
 * where ei = requant((xi - x_zp[i]) * 2^20, mult_q31[i], lshift[i]). lshift: -31 .. 0.
 * Source: TensorFlow Lite ADD and SUB, reference kernels. */
typedef struct {
    int32_t mult_q31[3]; /* of x1, x2 and y */
    int8_t lshift[3];
    int8_t x_zp[2];
    int8_t y_zp;
    int8_t y_min;
    int8_t y_max;
    uint8_t subtract;
} bp_add_t;
void bp_add_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, const bp_add_t *p);

/* y = clamp(requant((x1 - x_zp[0]) * (x2 - x_zp[1]), mult_q31, lshift) + y_zp, y_min, y_max).
 * Source: TensorFlow Lite MUL, reference kernel. */
typedef struct {
    int32_t mult_q31;
    int8_t lshift;
    int8_t x_zp[2];
    int8_t y_zp;
    int8_t y_min;
    int8_t y_max;
} bp_mul_t;
void bp_mul_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, const bp_mul_t *p);

/* The greater of two elements with greater, else the lesser. Source: TensorFlow Lite MAXIMUM and
 * MINIMUM. */
void bp_extremum_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, uint8_t greater);

/* v = x - x_zp: requant(v, ...[0]) from zero up, requant(v * (alpha - alpha_zp), ...[1]) below;
 * y = that + y_zp, saturated. Source: TensorFlow Lite PRELU, reference kernel. */
typedef struct {
    int32_t mult_q31[2];
    int8_t lshift[2];
    int8_t x_zp;
    int8_t alpha_zp;
    int8_t y_zp;
} bp_prelu_t;
void bp_prelu_s8(int8_t *y, const int8_t *x, const int8_t *alpha, uint32_t n, const bp_prelu_t *p);

/* y = table[x as an unsigned byte]; table: ROM int8 [256]. In place is allowed. */
void bp_table_s8(int8_t *y, const int8_t *x, uint32_t n, const uint8_t *table);

/* cdef: begin */
/* Softmax int8 over n logits, 1 .. BP_SOFTMAX_MAX_ELEMS; the output has scale 1/256 and zero point -128.
 * exp_q31: ROM int32 [256], 4-byte aligned: exp(-d * beta * scale) in Q0.31 for d = max - x, 0 where
 * TensorFlow Lite's diff_min cuts off, made by bp_softmax_exp_table. In place is allowed.
 * Where the exponentials add up to 512 or more, as of 512 equal logits, every share is below half a step,
 * so y is -128. TensorFlow Lite shifts by more than 31 bits there, which C leaves undefined. */
void bp_softmax_s8(int8_t *y, const int8_t *x, const uint8_t *exp_q31, uint16_t n);

/* Fills exp_q31[256] as gemmlowp's exp_on_negative_values does for inputs rescaled to Q5.26 by
 * mult_q31 * 2^lshift; entries d <= -diff_min only, the rest is 0. Runs where models are made, not on
 * the device. diff_min <= 0. */
void bp_softmax_exp_table(int32_t *exp_q31, int32_t mult_q31, int8_t lshift, int32_t diff_min);

/* One axis of a window that moves over an input: tap k of output position o is at input position
 * o * stride - pad + k * dilation. Taps outside of the input count for nothing. */
typedef struct {
    uint16_t kernel; /* number of taps */
    uint16_t stride;
    uint16_t dilation;
    uint16_t pad; /* in front of the input */
} bp_window_t;

/* cdef: end */

/* Pooling of images [batch][height][width][channels]: the average of the taps inside, rounded half
 * away from zero, or their maximum, then clamped. dilation is 1, and every window has a tap inside. y
 * and x must not overlap. Source: TensorFlow Lite AVERAGE_POOL_2D, MAX_POOL_2D, reference kernels. */
typedef struct {
    uint32_t batch;
    uint32_t x_height;
    uint32_t x_width;
    uint32_t y_height;
    uint32_t y_width;
    uint32_t channels;
    bp_window_t window[2]; /* height, width */
    uint8_t is_max;
    int8_t y_min;
    int8_t y_max;
} bp_pool_t;
void bp_pool_s8(int8_t *y, const int8_t *x, const bp_pool_t *p);

/* Axes of an input as groups of neighbours: kept, reduced, kept, reduced, kept, each the product of
 * its axes, 1 where there are none. Four axes need no more. */
typedef struct {
    uint32_t extent[5];
} bp_reduction_t;

/* Mean over the reduced axes: y = clamp(requant(sum(x - x_zp)) + y_zp, -128, 127). mult_q31 is divided
 * by the number of values: 0 .. 2^31 - 1. y and x must not overlap. Source: TensorFlow Lite MEAN,
 * reference kernel. */
typedef struct {
    int32_t mult_q31;
    int8_t lshift;
    int16_t x_zp;
    int16_t y_zp;
} bp_mean_t;
void bp_mean_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r, const bp_mean_t *p);
/* Maximum over the reduced axes. y and x must not overlap. Source: TensorFlow Lite REDUCE_MAX. */
void bp_reduce_max_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r);

/* Resizing of images [batch][height][width][channels]; y and x must not overlap. */
typedef struct {
    uint32_t batch;
    uint32_t x_height;
    uint32_t x_width;
    uint32_t y_height;
    uint32_t y_width;
    uint32_t channels;
} bp_resize_t;
/* Each output pixel is an input pixel. rows: ROM u16 [y_height], columns: ROM u16 [y_width], which input
 * row and column. */
void bp_resize_nearest_s8(int8_t *y, const int8_t *x, const bp_resize_t *p, const uint8_t *rows,
                          const uint8_t *columns);

/* Output position o is at o * step + start, in 1/1024 of an input position; from -512 up, and before the
 * end of the input. */
typedef struct {
    int32_t step;
    int32_t start;
} bp_bilinear_axis_t;
/* axes: height, width. Source: TensorFlow Lite RESIZE_BILINEAR for integers, reference kernel. */
void bp_resize_bilinear_s8(int8_t *y, const int8_t *x, const bp_resize_t *p,
                           const bp_bilinear_axis_t axes[2]);

/* cdef: begin */
/* A convolution of images [batch][height][width][channels]; what is outside of the input counts as its
 * zero point. */
typedef struct {
    uint32_t batch;
    uint32_t x_height;
    uint32_t x_width;
    uint32_t x_channels;
    uint32_t y_height;
    uint32_t y_width;
    uint32_t y_channels;
    bp_window_t window[2]; /* height, width */
} bp_conv_shape_t;

/* cdef: end */

/* A convolution as its record in the model image states it; all pointers are ROM (see config.h), of
 * 4-byte aligned addresses but for lshift. Multipliers and shifts are one per output channel. */
typedef struct {
    bp_conv_shape_t shape;
    const uint8_t *weights;
    const uint8_t *bias;     /* int32 [y_channels] */
    const uint8_t *mult_q31; /* int32 [y_channels] */
    const uint8_t *lshift;   /* int8 [y_channels] */
    uint16_t groups;         /* of bp_conv_s8: channels that have no weights in common */
    int8_t x_zp;
    int8_t y_zp;
    int8_t y_min; /* fused activation's range */
    int8_t y_max;
    uint8_t fast; /* every channel meets the conditions of bp_requant_short */
} bp_conv_s8_t;

/* CONV_2D, int8. Weights are rows as those of a dense layer, int8 [y_channels][n rounded up to 4],
 * n = taps * x_channels / groups = 1 .. BP_DENSE_MAX_INPUTS, in the order of ky, kx, channel. The bias
 * has the zero point folded in: bias - x_zp * sum of the row, mod 2^32.
 * columns: scratch memory of bp_conv_scratch bytes. y and x may overlap by bp_conv_distance.
 * Source: TensorFlow Lite CONV_2D, reference kernel. */
void bp_conv_s8(int8_t *y, const int8_t *x, int8_t *columns, const bp_conv_s8_t *p);

/* DEPTHWISE_CONV_2D, int8: output channel o has the input channel o / (y_channels / x_channels).
 * Weights are int8 [taps][y_channels]; the bias has the zero point folded in.
 * scratch: memory of bp_depthwise_scratch bytes for input that is read before it is overwritten: y and
 * x may overlap by bp_depthwise_distance, most often 0.
 * Source: TensorFlow Lite DEPTHWISE_CONV_2D, reference kernel. */
void bp_depthwise_s8(int8_t *y, const int8_t *x, int8_t *scratch, const bp_conv_s8_t *p);

/* The same for one row of outputs, with y apart from x; bp_depthwise_row_scratch bytes of scratch. */
void bp_depthwise_row_s8(int8_t *y, const int8_t *x, int8_t *scratch, const bp_conv_s8_t *p);

/* TRANSPOSE_CONV, int8: input (iy, ix) adds to output (iy * stride - pad + ky, ...). Weights
 * are rows as those of bp_conv_s8; the bias is as the model file has it. y and x must not overlap.
 * Source: TensorFlow Lite TRANSPOSE_CONV, reference kernel. */
void bp_transpose_conv_s8(int8_t *y, const int8_t *x, const bp_conv_s8_t *p);

/* cdef: begin */
/* Bytes of scratch memory of bp_conv_s8 and of bp_depthwise_s8. */
uint32_t bp_conv_scratch(const bp_conv_shape_t *shape, uint16_t groups);
uint32_t bp_depthwise_scratch(const bp_conv_shape_t *shape);
/* Of bp_depthwise_row_s8, for any row of an image of this shape. */
uint32_t bp_depthwise_row_scratch(const bp_conv_shape_t *shape);
/* Whether bp_conv_s8 goes from the last pixel to the first: where y is larger than x. */
int bp_conv_is_backward(const bp_conv_shape_t *shape);
/* Bytes by which y must begin before x, or, backward, x before y, so that no input is overwritten
 * before it has been read, however many pixels are collected at a time. */
uint32_t bp_conv_distance(const bp_conv_shape_t *shape);
/* The same of bp_depthwise_s8, which never goes backward. */
uint32_t bp_depthwise_distance(const bp_conv_shape_t *shape);

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

/* One axis of a block of elements: how many, and bytes from one to the next, in x and in y. */
typedef struct {
    uint32_t n;
    int32_t x_step;
    int32_t y_step;
} bp_move_axis_t;
#define BP_MOVE_AXES 4
/* Moves a block of elements, outer axes first, to bytes that do not overlap it. Slices, transposes,
 * padding and concatenations are such moves. */
void bp_move_8(uint8_t *y, const uint8_t *x, const bp_move_axis_t axes[BP_MOVE_AXES]);

/* cdef: begin */
/* The gates of an LSTM as fixed-point functions, Q0.15 out. docs/numerics.md has them step by step.
 * Logistic function of a Q3.12 number. */
#define BP_GATE_INTEGER_BITS 3
int16_t bp_logistic_s16(int16_t x);
/* Hyperbolic tangent of a number with 0 to 6 integer bits. */
int16_t bp_tanh_s16(int16_t x, uint8_t integer_bits);
/* cdef: end */

/* One gate, as it lies in the model image; all pointers are ROM. Its sum is, in Q3.12,
 * sat16(requant(recurrent_bias + recurrent . h, ...) + sat16(requant(bias + weights . x, ...))). */
typedef struct {
    const uint8_t *weights;        /* int8 [n_cell][row_stride] */
    const uint8_t *recurrent;      /* int8 [n_cell][recurrent_stride] */
    const uint8_t *bias;           /* int32 [n_cell], the zero point of x folded in */
    const uint8_t *recurrent_bias; /* int32 [n_cell], of the zero point of h alone */
    int32_t mult_q31;
    int32_t recurrent_mult_q31;
    int8_t lshift;
    int8_t recurrent_lshift;
} bp_lstm_gate_t;

enum { BP_GATE_INPUT, BP_GATE_FORGET, BP_GATE_CELL, BP_GATE_OUTPUT, BP_GATES };

/* A layer of LSTM cells. */
typedef struct {
    bp_lstm_gate_t gates[BP_GATES];
    int32_t hidden_mult_q31;
    int8_t hidden_lshift;
    int8_t h_zp;
    uint8_t cell_integer_bits; /* of c, 0 to 6 */
    uint16_t cell_clip;        /* largest |c|; 0: none */
    uint16_t n_in;
    uint16_t n_cell;
    uint16_t row_stride;       /* n_in rounded up to a multiple of 4 */
    uint16_t recurrent_stride; /* n_cell, the same */
} bp_lstm_s8_t;

/* One step: h_new int8 [n_cell], which must not overlap the others, of x int8 [n_in] and h int8
 * [n_cell]; c, int16 [n_cell] as pairs of bytes, is replaced.
 * Source: TensorFlow Lite UNIDIRECTIONAL_SEQUENCE_LSTM, 8x8_16, reference kernel. */
void bp_lstm_step_s8(int8_t *h_new, uint8_t *c, const int8_t *x, const int8_t *h,
                     const bp_lstm_s8_t *p);

/* A layer of filters over time (SVDF), as it lies in the model image; all pointers are ROM. Each unit
 * of the output has `rank` filters, which lie one after the other. */
typedef struct {
    const uint8_t *features;     /* int8 [n_unit * rank][row_stride] */
    const uint8_t *feature_bias; /* int32 [n_unit * rank], of the zero point of x alone */
    const uint8_t *time;         /* [n_unit * rank][n_memory], of value_bytes each */
    const uint8_t *bias;         /* int32 [n_unit], the zero point of values folded in */
    int32_t feature_mult_q31;
    int32_t mult_q31;
    int8_t feature_lshift;
    int8_t lshift;
    int8_t y_zp;
    int8_t value_zp;     /* of values of one byte; 0 of those of two */
    uint8_t value_bytes; /* of a value of the state and of a time weight: 1 or 2 */
    uint16_t n_in;
    uint16_t row_stride; /* n_in rounded up to a multiple of 4 */
    uint16_t n_unit;
    uint16_t rank;
    uint16_t n_memory;
} bp_svdf_s8_t;

/* One step: y int8 [n_unit] of x int8 [n_in]. state, [n_unit * rank][n_memory] of value_bytes each,
 * oldest values first, drops one value of each filter and takes a new one.
 * Source: TensorFlow Lite SVDF of int8 with a state of int16, reference kernel; with one of int8,
 * TensorFlow Lite Micro's. */
void bp_svdf_s8(int8_t *y, uint8_t *state, const int8_t *x, const bp_svdf_s8_t *p);

/* One entry of bp_softmax_exp_table, for d = 0 .. 255. */
int32_t bp_softmax_exp(int32_t d, int32_t mult_q31, int8_t lshift, int32_t diff_min);

#ifdef __cplusplus
}
#endif
#endif
