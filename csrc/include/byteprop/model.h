/* The model image (.bpm): its layout and its checked reader. docs/format.md is the specification.
 * Little-endian. The same bytes serve on the host and on the device, in flash or in RAM.
 * Every offset in it, also those of names and of a dense op's data, counts from the image's first
 * byte. */
#ifndef BYTEPROP_MODEL_H
#define BYTEPROP_MODEL_H

#include <byteprop/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
#define BP_MODEL_MAGIC 0x314D5042 /* "BPM1" */
#define BP_MODEL_VERSION 1
#define BP_MODEL_HEADER_BYTES 64
#define BP_MODEL_TENSOR_BYTES 40
#define BP_MODEL_OP_BYTES 32
#define BP_MODEL_MAX_TENSORS 1024
#define BP_MODEL_MAX_OPS 1024
#define BP_MODEL_MAX_RANK 4
#define BP_MODEL_MAX_ARENA_BYTES 0x1000000 /* also of a tensor, and of all outputs together */

/* Data types of tensors. */
enum { BP_DTYPE_INT8 = 1, BP_DTYPE_UINT8 = 2 };

/* Tensor flags. FLOAT_BORDER: the host presents this input or output as float32 and converts with
 * the tensor's scale and zero point; the device sees the integers. */
enum { BP_TENSOR_FLOAT_BORDER = 1 };

/* Ops, which are also the bits (1 << code) of the header's feature mask. */
enum { BP_OP_DENSE_S8 = 1, BP_OP_RESCALE = 2, BP_OP_SOFTMAX_S8 = 3, BP_OP_RESHAPE = 4 };

/* What an op stood for in the source model, for people and for export; the arithmetic is told by
 * y_min and y_max alone. A RESCALE with BP_ACT_NONE is an integer QUANTIZE. */
enum {
    BP_ACT_NONE = 0,
    BP_ACT_RELU = 1,
    BP_ACT_RELU6 = 2,
    BP_ACT_RELU_N1_TO_1 = 3,
    BP_ACT_RELU_0_TO_1 = 4
};

/* Layout of a dense op's weights. ROWS: int8 [n_out][n_in rounded up to 4]. */
enum { BP_LAYOUT_ROWS = 0 };

/* Op flags. */
enum { BP_OP_PER_CHANNEL = 1, BP_OP_HAS_BIAS = 2 };

typedef struct {
    uint8_t dtype;
    uint8_t rank;   /* 0 .. BP_MODEL_MAX_RANK */
    uint16_t flags;
    uint32_t dims[4]; /* unused ones are 1 */
    uint32_t elems;   /* product of dims */
    uint32_t arena_offset; /* multiple of 4 */
    uint32_t scale_f32;    /* IEEE 754 bits, for people and for the host; the device does not use it */
    int32_t zero_point;
    uint32_t name_offset; /* 0-terminated UTF-8 in the names section; 0: no name */
} bp_tensor_t;

typedef struct {
    uint8_t code;
    uint8_t layout;
    uint8_t activation;
    uint8_t flags;
    uint16_t input;  /* tensor index */
    uint16_t output; /* tensor index */
    int16_t y_min;
    int16_t y_max;
    /* DENSE_S8: offsets of weights, bias, mult_q31, lshift, weight scales (float32, host only).
     * RESCALE: mult_q31, lshift, 0, 0, 0.
     * SOFTMAX_S8: offset of the exponential table, beta as float32 bits (host only), 0, 0, 0.
     * RESHAPE: all 0; copies nothing when both tensors have the same arena offset. */
    uint32_t args[5];
} bp_op_t;

/* An opened image; it holds no copy, so the bytes must stay. */
typedef struct {
    const uint8_t *image; /* ROM */
    uint32_t image_bytes;
    uint32_t crc32; /* of the image; identifies the model */
    uint32_t arena_bytes;
    uint32_t features; /* bits 1 << BP_OP_x */
    uint32_t tensors_offset;
    uint32_t ops_offset;
    uint32_t io_offset; /* uint16 tensor indices: inputs, then outputs */
    uint16_t n_tensors;
    uint16_t n_ops;
    uint16_t n_inputs;
    uint16_t n_outputs;
} bp_model_t;

/* Checks every byte that inference will rely on (checksum, bounds, alignment, shapes, parameters,
 * arena) and fills model. image must be 4-byte aligned. After BP_OK no function below can fail on
 * the same image. On any other status model is zeroed. */
int bp_model_open(bp_model_t *model, const uint8_t *image, uint32_t image_bytes);
/* Reads a record of an opened model; index < n_tensors or n_ops. */
void bp_model_tensor(bp_tensor_t *tensor, const bp_model_t *model, uint16_t index);
void bp_model_op(bp_op_t *op, const bp_model_t *model, uint16_t index);
/* Tensor index of an input or an output; index < n_inputs or n_outputs. */
uint16_t bp_model_input(const bp_model_t *model, uint16_t index);
uint16_t bp_model_output(const bp_model_t *model, uint16_t index);
/* cdef: end */

/* Elements along the last axis: a dense layer's outputs, a softmax's classes. 1 for a scalar. */
static inline uint32_t bp_tensor_last_dim(const bp_tensor_t *tensor) {
    return tensor->rank == 0 ? 1 : tensor->dims[tensor->rank - 1];
}

#ifdef __cplusplus
}
#endif
#endif
