/* The model image (.bpm): its layout and its checked reader. docs/format.md is the specification.
 * Little-endian. The same bytes serve on the host and on the device, in flash or in RAM.
 * Every offset in it, also those of names and of an op's data, counts from the image's first byte. */
#ifndef BYTEPROP_MODEL_H
#define BYTEPROP_MODEL_H

#include <byteprop/config.h>
#include <byteprop/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every op: X(code, C name, name, inputs, outputs, words, traits), which is what its image record must
 * have. inputs 0: any number. csrc/ops/<name>.c is all else that the reader and the walk know of it.
 * Codes keep their meaning for ever. */
#define BP_OP_LIST(X)                                                                              \
    X(1, DENSE_S8, dense, 1, 1, 7, BP_OP_INT8)                                                     \
    X(2, RESCALE, rescale, 1, 1, 4, BP_OP_IN_PLACE)                                                \
    X(3, SOFTMAX_S8, softmax, 1, 1, 2, BP_OP_INT8 | BP_OP_SAME_SIZE | BP_OP_IN_PLACE)              \
    X(4, RESHAPE, reshape, 1, 1, 0,                                                                \
      BP_OP_SAME_TYPE | BP_OP_SAME_SIZE | BP_OP_IN_PLACE | BP_OP_KEEPS_BYTES)                      \
    X(5, CONV_S8, conv, 1, 1, 12, BP_OP_INT8 | BP_OP_SCRATCH | BP_OP_OVERLAPS)                     \
    X(6, DEPTHWISE_S8, depthwise, 1, 1, 12, BP_OP_INT8 | BP_OP_SCRATCH | BP_OP_OVERLAPS)           \
    X(7, TRANSPOSE_CONV_S8, transpose_conv, 1, 1, 12, BP_OP_INT8)                                  \
    X(8, POOL_S8, pool, 1, 1, 6, BP_OP_INT8)                                                       \
    X(9, MEAN_S8, mean, 1, 1, 3, BP_OP_INT8)                                                       \
    X(10, REDUCE_MAX_S8, reduce_max, 1, 1, 1, BP_OP_INT8)                                          \
    X(11, RESIZE_NEAREST_S8, resize_nearest, 1, 1, 3, BP_OP_INT8)                                  \
    X(12, RESIZE_BILINEAR_S8, resize_bilinear, 1, 1, 3, BP_OP_INT8)                                \
    X(13, PAD, pad, 1, 1, 5, BP_OP_SAME_TYPE)                                                      \
    X(14, CONCATENATE, concatenate, 0, 1, 1, BP_OP_SAME_TYPE)                                      \
    X(15, SLICE, slice, 1, 1, 8, BP_OP_SAME_TYPE)                                                  \
    X(16, TRANSPOSE, transpose, 1, 1, 1, BP_OP_SAME_TYPE)                                          \
    X(17, ADD_S8, add, 2, 1, 8, BP_OP_INT8 | BP_OP_IN_PLACE | BP_OP_CONSTANTS)                     \
    X(18, MUL_S8, mul, 2, 1, 4, BP_OP_INT8 | BP_OP_IN_PLACE | BP_OP_CONSTANTS)                     \
    X(19, EXTREMUM_S8, extremum, 2, 1, 1, BP_OP_INT8 | BP_OP_IN_PLACE | BP_OP_CONSTANTS)           \
    X(20, TABLE_S8, table, 1, 1, 3, BP_OP_INT8 | BP_OP_SAME_SIZE | BP_OP_IN_PLACE)                 \
    X(21, PRELU_S8, prelu, 2, 1, 4, BP_OP_INT8 | BP_OP_IN_PLACE | BP_OP_CONSTANTS)                 \
    X(22, PUSH, push, 2, 1, 0, BP_OP_SAME_TYPE | BP_OP_IN_PLACE)                                   \
    X(23, LSTM_S8, lstm, 3, 3, 44, BP_OP_INT8 | BP_OP_IN_PLACE | BP_OP_SCRATCH)                    \
    X(24, SVDF_S8, svdf, 2, 2, 11, BP_OP_INT8 | BP_OP_IN_PLACE)                                    \
    /* the next op comes here */

/* Traits of an op. Without IN_PLACE no input may have a byte of an output. */
enum {
    BP_OP_INT8 = 0x01,       /* inputs and outputs are int8 */
    BP_OP_SAME_TYPE = 0x02,  /* inputs have the data type of output 0 */
    BP_OP_SAME_SIZE = 0x04,  /* and as many elements */
    BP_OP_IN_PLACE = 0x08,   /* an input may begin at the address of an output */
    BP_OP_OVERLAPS = 0x10,   /* the op's own check decides how inputs and outputs may overlap */
    BP_OP_CONSTANTS = 0x20,  /* inputs may be constants */
    BP_OP_SCRATCH = 0x40,    /* a scratch tensor follows the outputs; the op's check has its size */
    BP_OP_KEEPS_BYTES = 0x80 /* in place it changes nothing */
};

#define BP_OP_ENUM(code, NAME, name, inputs, outputs, words, traits) BP_OP_##NAME = (code),
enum { BP_OP_LIST(BP_OP_ENUM) BP_OP_END_ };
#undef BP_OP_ENUM
/* Bytes that a bit for each code of the list takes. */
enum { BP_OP_FEATURES_BYTES = (BP_OP_END_ + 7) / 8 };

/* cdef: begin */
#define BP_MODEL_MAGIC 0x314D5042 /* "BPM1" */
#define BP_MODEL_VERSION 2
#define BP_MODEL_HEADER_BYTES 80
#define BP_MODEL_TENSOR_BYTES 40
#define BP_MODEL_MAX_TENSORS 1024
#define BP_MODEL_MAX_OPS 1024
#define BP_MODEL_MAX_RANK 4
#define BP_MODEL_MAX_ARENA_BYTES 0x1000000 /* also of a tensor, and of all outputs together */
#define BP_MODEL_MAX_OP_CODES 128
#define BP_MODEL_MAX_FED_OPS 32      /* that work row by row */
#define BP_MODEL_MAX_FED_HEIGHT 65535 /* of the images between them */
#define BP_MODEL_ROW_ALIGNMENT 4 /* rows of weights are filled up to a multiple of it */
#define BP_MODEL_FEATURES_BYTES 16 /* a bit for each op code: bit code % 8 of byte code / 8 */

/* Offsets of the header's fields. The checksum covers everything from BP_MODEL_CRC_FROM on. */
enum {
    BP_HEADER_MAGIC = 0,           /* u32 */
    BP_HEADER_VERSION = 4,         /* u16 */
    BP_HEADER_HEADER_BYTES = 6,    /* u16 */
    BP_HEADER_TOTAL_BYTES = 8,     /* u32 */
    BP_HEADER_CRC32 = 12,          /* u32 */
    BP_HEADER_OPS_BYTES = 16,      /* u32 */
    BP_HEADER_ARENA_BYTES = 20,    /* u32 */
    BP_HEADER_N_TENSORS = 24,      /* u16 */
    BP_HEADER_N_OPS = 26,          /* u16 */
    BP_HEADER_N_INPUTS = 28,       /* u16 */
    BP_HEADER_N_OUTPUTS = 30,      /* u16 */
    BP_HEADER_TENSORS_OFFSET = 32, /* u32 */
    BP_HEADER_OPS_OFFSET = 36,     /* u32 */
    BP_HEADER_IO_OFFSET = 40,      /* u32 */
    BP_HEADER_DATA_OFFSET = 44,    /* u32 */
    BP_HEADER_DATA_BYTES = 48,     /* u32 */
    BP_HEADER_NAMES_OFFSET = 52,   /* u32 */
    BP_HEADER_NAMES_BYTES = 56,    /* u32 */
    BP_HEADER_BOUNDARY_OFFSET = 60, /* u32 */
    BP_HEADER_FEATURES = 64        /* u8 [BP_MODEL_FEATURES_BYTES] */
};
enum { BP_MODEL_CRC_FROM = 16 };

/* Offsets of a tensor's fields in its record. */
enum {
    BP_TENSOR_DTYPE = 0,       /* u8 */
    BP_TENSOR_RANK = 1,        /* u8 */
    BP_TENSOR_KIND = 2,        /* u8 */
    BP_TENSOR_FLAGS = 3,       /* u8 */
    BP_TENSOR_DIMS = 4,        /* u32 [BP_MODEL_MAX_RANK] */
    BP_TENSOR_ELEMS = 20,      /* u32 */
    BP_TENSOR_OFFSET = 24,     /* u32 */
    BP_TENSOR_SCALE = 28,      /* f32 */
    BP_TENSOR_ZERO_POINT = 32, /* i32 */
    BP_TENSOR_NAME_OFFSET = 36, /* u32 */
    BP_TENSOR_STATE = 36 /* u32, of kind INITIAL instead: the tensor that begins so */
};

/* Offsets in an op's record. Operands are u16 tensor indices: inputs, then outputs, then two bytes of
 * padding where their number is odd. The op's own parameters, n_words of 4 bytes, follow. */
enum {
    BP_OP_CODE = 0,      /* u8 */
    BP_OP_N_INPUTS = 1,  /* u8 */
    BP_OP_N_OUTPUTS = 2, /* u8 */
    BP_OP_N_WORDS = 3,   /* u8 */
    BP_OP_OPERANDS = 4
};

/* Data types of tensors. Two elements are one value of INT16, the lower byte first, along the last axis;
 * its zero point is 0. */
enum { BP_DTYPE_INT8 = 1, BP_DTYPE_UINT8 = 2, BP_DTYPE_INT16 = 3 };

/* Where a tensor's bytes are. ACTIVATION: in the arena while some op still reads them. CONSTANT: in
 * the image. STATE: in the arena for ever, from one inference to the next, and there alone; the zero
 * point to begin with, or the values of the tensor of kind INITIAL that names it. SCRATCH: in the arena
 * while one op runs, whose last output it is. INITIAL: in the image; no op reads it. ROWS: an image of
 * which the arena has the last rows, while the model is fed (bp_infer_feed). */
enum {
    BP_KIND_ACTIVATION = 0,
    BP_KIND_CONSTANT = 1,
    BP_KIND_STATE = 2,
    BP_KIND_SCRATCH = 3,
    BP_KIND_INITIAL = 4,
    BP_KIND_ROWS = 5
};

/* Tensor flags. FLOAT_BORDER: the host presents this input or output as float32 and converts with
 * the tensor's scale and zero point; the device sees the integers. What is above, from the bit ROWS
 * on, is how many rows of a tensor of kind ROWS the arena has. */
enum { BP_TENSOR_FLOAT_BORDER = 1, BP_TENSOR_ROWS = 2 };

/* What an op stood for in the source model, for people and for export; the arithmetic follows from
 * y_min and y_max alone. A RESCALE with BP_ACT_NONE is an integer QUANTIZE. */
enum {
    BP_ACT_NONE = 0,
    BP_ACT_RELU = 1,
    BP_ACT_RELU6 = 2,
    BP_ACT_RELU_N1_TO_1 = 3,
    BP_ACT_RELU_0_TO_1 = 4
};

/* What a table op stood for in the source model, for people and for export. */
enum {
    BP_FUNCTION_LOGISTIC = 0,
    BP_FUNCTION_TANH = 1,
    BP_FUNCTION_LEAKY_RELU = 2,
    BP_FUNCTION_HARD_SWISH = 3,
    BP_FUNCTION_ELU = 4
};

/* Layout of a dense op's weights, or a convolution's. ROWS: int8 [n_out][bp_row_stride(n_in)]. HALFWORDS,
 * of dense ops alone: two weights in a halfword, for firmware whose model stays as it is. */
enum { BP_LAYOUT_ROWS = 0, BP_LAYOUT_HALFWORDS = 1 };

/* Flags of a dense op: the multipliers are one per row; the source model had a bias. Of dense, conv
 * and depthwise: every row meets the conditions of bp_requant_short. Of convolutions: all rows have
 * one scale, whose product with that of the input was rounded to float32; the device does not care. */
enum { BP_OP_PER_CHANNEL = 1, BP_OP_HAS_BIAS = 2, BP_OP_FAST = 4, BP_OP_ONE_SCALE = 8 };

/* A tensor's record. */
typedef struct {
    uint8_t dtype;
    uint8_t rank; /* 0 .. BP_MODEL_MAX_RANK */
    uint8_t kind; /* BP_KIND_x */
    uint8_t flags;
    uint32_t dims[4];   /* unused ones are 1 */
    uint32_t elems;     /* product of dims */
    uint32_t offset;    /* in the arena, of a constant in the image; a multiple of 4 */
    uint32_t scale_f32; /* IEEE 754 bits, for people and for the host; the device does not use it */
    int32_t zero_point;
    uint32_t name_offset; /* 0-terminated UTF-8 in the names section; 0: no name; see TENSOR_STATE */
} bp_tensor_t;

/* An op's record. */
typedef struct {
    const uint8_t *operands; /* ROM, u16: see bp_op_input and bp_op_output */
    const uint8_t *params;   /* ROM, 4-byte aligned, n_words of 4 bytes */
    uint8_t code;
    uint8_t n_inputs;
    uint8_t n_outputs;
    uint8_t n_words;
} bp_op_t;

/* An opened image; it holds no copy, so the bytes must stay. */
typedef struct {
    const uint8_t *image; /* ROM */
    uint32_t image_bytes;
    uint32_t crc32; /* of the image; identifies the model */
    uint32_t arena_bytes;
    uint32_t tensors_offset;
    uint32_t ops_offset; /* u32 [n_ops]: offsets of the ops' records */
    uint32_t io_offset;  /* uint16 tensor indices: inputs, then outputs */
    uint16_t n_tensors;
    uint16_t n_ops;
    uint16_t n_inputs;
    uint16_t n_outputs;
} bp_model_t;

/* Checks every byte that inference will rely on (checksum, bounds, alignment, shapes, parameters,
 * arena) and fills model. image must be 4-byte aligned. After BP_OK no function below can fail on
 * the same image. On any other status model is zeroed. */
BP_MUST_CHECK bp_status_t bp_model_open(bp_model_t *model, const uint8_t *image,
                                        uint32_t image_bytes);
/* Reads a record of an opened model; index < n_tensors or n_ops. */
void bp_model_tensor(bp_tensor_t *tensor, const bp_model_t *model, uint16_t index);
void bp_model_op(bp_op_t *op, const bp_model_t *model, uint16_t index);
/* Tensor index of an op's input or output; index < n_inputs or n_outputs of the op. */
uint16_t bp_op_input(const bp_op_t *op, uint8_t index);
uint16_t bp_op_output(const bp_op_t *op, uint8_t index);
/* Tensor index of an input or an output; index < n_inputs or n_outputs of the model. */
uint16_t bp_model_input(const bp_model_t *model, uint16_t index);
uint16_t bp_model_output(const bp_model_t *model, uint16_t index);

/* The ops that this build has: n bytes with a bit for each code, as in the header. */
void bp_op_features(uint8_t *features, uint8_t n);
/* "dense", "rescale", ...; "?" for a code that no op has. */
const char *bp_op_name(uint8_t code);
/* cdef: end */

/* Bytes from one row of a dense op's weights to the next. */
static inline uint32_t bp_row_stride(uint32_t n_in) {
    return (n_in + BP_MODEL_ROW_ALIGNMENT - 1) & ~(uint32_t)(BP_MODEL_ROW_ALIGNMENT - 1);
}

/* A tensor's record in the image, for one or two of its fields: BP_ROM_x(record + BP_TENSOR_x). */
const uint8_t *bp_tensor_record(const bp_model_t *model, uint16_t index);

#ifdef __cplusplus
}
#endif
#endif
