/* What an op is to the reader and to the walk, internal to csrc: a row of BP_OP_LIST and two
 * functions in csrc/ops/<name>.c.
 *
 *   bp_op_<name>_check  whether an image's record of this op can be run; a status
 *   bp_op_<name>_run    runs it; cannot fail, because it was checked
 *
 * Before the check, the reader has made sure that the record is inside the image and has the
 * operands, words and traits of the row, that inputs hold their values when the op runs, that no
 * output overlaps another output, and that scratch memory overlaps no input.
 *
 * BP_OPS_LOW (codes 0 to 63) and BP_OPS_HIGH (64 to 127) have a bit for each op of the build. Of an
 * op without its bit nothing is linked, and an image that has it is E_OP. BP_KINDS has a bit for
 * each kind of tensor that the build reads; other kinds are E_KIND. BP_LAYOUTS has a bit for each
 * layout of weights; others are E_PARAM. */
#ifndef BYTEPROP_OPS_H
#define BYTEPROP_OPS_H

#include <byteprop/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef BP_OPS_LOW
#define BP_OPS_LOW UINT64_MAX
#endif
#ifndef BP_OPS_HIGH
#define BP_OPS_HIGH UINT64_MAX
#endif
#ifndef BP_KINDS
#define BP_KINDS 0x3F
#endif
#ifndef BP_LAYOUTS
#define BP_LAYOUTS 0x3
#endif

/* The build runs models that are fed row by row. */
#define BP_HAS_ROWS BP_HAS_KIND(BP_KIND_ROWS)

/* What checks share. */
typedef struct {
    const bp_model_t *model;
    uint32_t ops_bytes;
    uint32_t data_offset;
    uint32_t data_bytes;
} bp_reader_t;

#define BP_OP_DECLARE(code, NAME, name, inputs, outputs, words, traits)                            \
    bp_status_t bp_op_##name##_check(const bp_reader_t *reader, const bp_op_t *op);                \
    void bp_op_##name##_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op);
BP_OP_LIST(BP_OP_DECLARE)
#undef BP_OP_DECLARE

/* ---- the table ---- */

/* The record has the form of its row; then the op's own check. */
bp_status_t bp_op_check_form(const bp_model_t *model, const bp_op_t *op);
bp_status_t bp_op_check(const bp_reader_t *reader, const bp_op_t *op);
void bp_op_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op);
/* The op writes nothing: it keeps bytes, and its output is at its input's address. */
bool bp_op_is_noop(const bp_model_t *model, const bp_op_t *op);

/* ---- ops that work row by row ---- */

/* X(NAME, name): those of the list that can be run for one output row, if the batch is 1. */
#define BP_ROW_OPS(X)                                                                              \
    X(CONV_S8, conv)                                                                               \
    X(DEPTHWISE_S8, depthwise)                                                                     \
    X(POOL_S8, pool)                                                                               \
    X(RESCALE, rescale)                                                                            \
    X(TABLE_S8, table)

/* Which input rows an output row takes: `reach` of them, from row * stride - pad on, as far as they
 * are inside. pad is less than reach. by_element: input and output have to have one shape. */
typedef struct {
    uint32_t reach;
    uint32_t stride;
    uint32_t pad;
    bool by_element;
} bp_op_rows_t;
/* Of a checked op; false for one that cannot be run row by row. */
bool bp_op_rows(bp_op_rows_t *rows, const bp_op_t *op);

/* One output row, at y. x: the `height` input rows that it takes and that are inside; `pad` more,
 * before them, are not. */
typedef struct {
    uint8_t *y;
    const uint8_t *x;
    uint16_t height;
    uint16_t pad;
} bp_op_row_t;
#define BP_OP_DECLARE_ROW(NAME, name)                                                              \
    void bp_op_##name##_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,            \
                            const bp_op_row_t *row);
BP_ROW_OPS(BP_OP_DECLARE_ROW)
#undef BP_OP_DECLARE_ROW
/* Runs one of them. arena: for its scratch memory. */
void bp_op_run_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                   const bp_op_row_t *row);

/* ---- for checks ---- */

/* n bytes of the data section, aligned. */
bp_status_t bp_check_data(const bp_reader_t *reader, uint32_t offset, uint32_t bytes,
                          uint8_t align);
/* Activation and clamping range of an output of this data type. */
bp_status_t bp_check_range(uint8_t activation, int16_t y_min, int16_t y_max, uint8_t dtype);
bool bp_is_scaling(int32_t mult_q31, int32_t lshift);
/* n multipliers and shifts at these offsets, which are inside the image. */
bp_status_t bp_check_scalings(const bp_reader_t *reader, uint32_t mult_q31, uint32_t lshift,
                              uint32_t n);
/* Kernels may compute whole words of a row of weights, so what fills a row up must be zero. */
bp_status_t bp_check_row_padding(const bp_reader_t *reader, uint32_t weights, uint32_t n_in,
                                 uint32_t n_out);
/* Rows of halfwords, inside the image: what a halfword stands for is a weight, padding is 0, and no sum
 * leaves 32 bits. */
bp_status_t bp_check_halfwords(const bp_reader_t *reader, uint32_t weights, uint32_t n_in,
                                 uint32_t n_out);
/* Rows of weights: bytes and number in all, weights per row, number of shifts. */
typedef struct {
    uint32_t weight_bytes;
    uint32_t n_in;
    uint32_t n_out;
    uint32_t n_lshifts;
} bp_rows_t;
/* Where they are, their biases and shifts: ROM. */
typedef struct {
    const uint8_t *weights;
    const uint8_t *bias;
    const uint8_t *lshift;
} bp_fast_rows_t;
/* Every row meets the conditions of bp_requant_short. */
bool bp_rows_are_fast(const bp_fast_rows_t *parts, const bp_rows_t *rows);
/* With the flag FAST, every row meets the conditions of bp_requant_short; without it, no row must.
 * parts: the offsets of weights, biases, multipliers and shifts, which are inside the image. */
bp_status_t bp_check_fast(const bp_reader_t *reader, uint8_t flags, const uint8_t *parts,
                          const bp_rows_t *rows);
bool bp_is_inside(uint32_t offset, uint32_t bytes, uint32_t begin, uint32_t size);
/* Two tensors, by their records, have bytes of the arena in common. */
bool bp_records_overlap(const uint8_t *a, const uint8_t *b);

/* ---- records of tensors: fields are read one by one, because an op needs few of them ---- */

/* Of an operand of the op: inputs, then outputs. */
const uint8_t *bp_operand_record(const bp_model_t *model, const bp_op_t *op, uint16_t operand);
static inline uint8_t bp_record_dtype(const uint8_t *record) {
    return BP_ROM_U8(record + BP_TENSOR_DTYPE);
}
static inline uint8_t bp_record_kind(const uint8_t *record) {
    return BP_KINDS == 1 ? BP_KIND_ACTIVATION : BP_ROM_U8(record + BP_TENSOR_KIND);
}
/* The build reads tensors of this kind. */
#define BP_HAS_KIND(kind) (((BP_KINDS) >> (kind)&1) != 0)
/* Its bytes are in the image. */
static inline bool bp_is_data(uint8_t kind) {
    return (BP_HAS_KIND(BP_KIND_CONSTANT) && kind == BP_KIND_CONSTANT) ||
           (BP_HAS_KIND(BP_KIND_INITIAL) && kind == BP_KIND_INITIAL);
}
/* No op reads it, and none writes it but as its scratch memory. */
static inline bool bp_is_hidden(uint8_t kind) {
    return kind == BP_KIND_SCRATCH || (BP_HAS_KIND(BP_KIND_INITIAL) && kind == BP_KIND_INITIAL);
}
static inline uint32_t bp_record_elems(const uint8_t *record) {
    return BP_ROM_U32(record + BP_TENSOR_ELEMS);
}
static inline bool bp_record_is_rows(const uint8_t *record) {
    return BP_HAS_ROWS && bp_record_kind(record) == BP_KIND_ROWS;
}
static inline uint32_t bp_record_offset(const uint8_t *record) {
    return BP_ROM_U32(record + BP_TENSOR_OFFSET);
}
static inline int16_t bp_record_zero_point(const uint8_t *record) {
    return (int16_t)BP_ROM_U16(record + BP_TENSOR_ZERO_POINT);
}
static inline uint8_t bp_record_rank(const uint8_t *record) {
    return BP_ROM_U8(record + BP_TENSOR_RANK);
}
/* axis below BP_MODEL_MAX_RANK; 1 for an axis that the rank does not reach. */
static inline uint32_t bp_record_dim(const uint8_t *record, uint8_t axis) {
    return BP_ROM_U32(record + BP_TENSOR_DIMS + 4u * axis);
}
/* Elements from one position of an axis to the next. */
static inline uint32_t bp_record_stride(const uint8_t *record, uint8_t axis) {
    uint32_t stride = 1;
    for (uint8_t i = BP_MODEL_MAX_RANK - 1; i > axis; --i) {
        stride *= bp_record_dim(record, i);
    }
    return stride;
}
/* Rows that the arena has of a tensor of kind ROWS. */
static inline uint8_t bp_record_rows(const uint8_t *record) {
    return BP_ROM_U8(record + BP_TENSOR_FLAGS) / BP_TENSOR_ROWS;
}
/* Bytes of a tensor where it is. */
static inline uint32_t bp_record_bytes(const uint8_t *record) {
    return bp_record_is_rows(record) ? bp_record_rows(record) * bp_record_stride(record, 1)
                                     : bp_record_elems(record);
}
/* 1 for a scalar. */
static inline uint32_t bp_record_last_dim(const uint8_t *record) {
    uint8_t rank = bp_record_rank(record);
    return rank == 0 ? 1 : bp_record_dim(record, (uint8_t)(rank - 1u));
}
/* The op works row by row, while the model is fed. */
static inline bool bp_op_is_fed(const bp_model_t *model, const bp_op_t *op) {
    return BP_HAS_ROWS && bp_record_is_rows(bp_operand_record(model, op, 0));
}

#endif
