/* Chooses the primitives, internal to csrc. Contracts: primitives.h. Firmware chooses when it is
 * compiled: an #elif below names what the CPU's folder supplies. Hosts choose when they run: a
 * bp_isa_t in isa.c, best first. -DBP_ISA_PORTABLE=1 forces the plain C.
 *
 * Users write BP_ISA_BEGIN at the start of a function and then call BP_ISA_DOT_ROWS, ... */
#ifndef BYTEPROP_ISA_H
#define BYTEPROP_ISA_H

#include "isa/packed.h"
#include "isa/primitives.h"

#ifndef BP_ISA_PORTABLE
#define BP_ISA_PORTABLE 0
#endif

#if !BP_ISA_PORTABLE && defined(__GNUC__) && defined(__x86_64__)
#define BP_ISA_X86_64 1
#else
#define BP_ISA_X86_64 0
#endif
#if !BP_ISA_PORTABLE && defined(__GNUC__) && defined(__aarch64__) && defined(__ARM_NEON) &&        \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BP_ISA_ARM64 1
#else
#define BP_ISA_ARM64 0
#endif
#define BP_ISA_AT_RUN_TIME (BP_ISA_X86_64 || BP_ISA_ARM64)

/* Instruction sets that the compiler may not know yet. */
#if BP_ISA_X86_64 && defined(__clang__)
#define BP_ISA_HAS_AVX512VNNI (__clang_major__ >= 7)
#define BP_ISA_HAS_AVXVNNI (__clang_major__ >= 12)
#elif BP_ISA_X86_64
#define BP_ISA_HAS_AVX512VNNI (__GNUC__ >= 8)
#define BP_ISA_HAS_AVXVNNI (__GNUC__ >= 11)
#else
#define BP_ISA_HAS_AVX512VNNI 0
#define BP_ISA_HAS_AVXVNNI 0
#endif

#if BP_ISA_AT_RUN_TIME

typedef struct {
    const char *name;
    bp_dot_rows_t *dot_rows;
    bp_dot_row_t *dot_row;
    bp_sgd_row_t *sgd_row;
    bp_backward_t *backward;
    bp_conv_columns_t *conv_columns;
    bp_conv_block_t *conv_block;
    uint8_t conv_pixels; /* of a block, at most BP_CONV_COLUMNS; 0: not supplied */
    bp_add_elements_t *add;
    bp_mul_elements_t *mul;
    bp_patch_sums_t *patch_sums;
    const bp_packed_isa_t *packed; /* NULL: none */
} bp_isa_t;

/* The primitives in use; the best ones of the CPU until bp_isa_select changes them. */
const bp_isa_t *bp_isa(void);

#define BP_ISA_BEGIN const bp_isa_t *isa_in_use = bp_isa();
#define BP_ISA_DOT_ROWS isa_in_use->dot_rows
#define BP_ISA_DOT_ROW isa_in_use->dot_row
#define BP_ISA_SGD_ROW isa_in_use->sgd_row
#define BP_ISA_BACKWARD isa_in_use->backward
#define BP_ISA_CONV_COLUMNS isa_in_use->conv_columns
#define BP_ISA_CONV_BLOCK isa_in_use->conv_block
#define BP_ISA_CONV_PIXELS isa_in_use->conv_pixels
#define BP_ISA_MOST_PIXELS BP_CONV_COLUMNS /* of any of them */
#define BP_ISA_DEPTHWISE_SPREAD bp_depthwise_spread_s8
#define BP_ISA_DEPTHWISE_OUTPUTS bp_depthwise_outputs_s8
#define BP_ISA_ADD isa_in_use->add
#define BP_ISA_MUL isa_in_use->mul
#define BP_ISA_PATCH_SUMS isa_in_use->patch_sums
#define BP_ISA_MAX_SQUARES bp_max_squares_s8

bp_dot_rows_t bp_dot_rows_s8_avx2;
bp_sgd_row_t bp_sgd_row_s16_avx2;
bp_backward_t bp_dense_backward_s8_avx2;
bp_add_elements_t bp_add_elements_s8_avx512, bp_add_elements_s8_avx2;
bp_mul_elements_t bp_mul_elements_s8_avx512, bp_mul_elements_s8_avx2;
bp_patch_sums_t bp_patch_sums_s8_avx2;
extern const bp_packed_isa_t bp_packed_avx512vnni, bp_packed_avxvnni, bp_packed_avx2;

bp_dot_rows_t bp_dot_rows_s8_neon, bp_dot_rows_s8_dotprod;
bp_add_elements_t bp_add_elements_s8_neon;
bp_mul_elements_t bp_mul_elements_s8_neon;
bp_patch_sums_t bp_patch_sums_s8_neon;
extern const bp_packed_isa_t bp_packed_neon, bp_packed_dotprod;

#else

#define BP_ISA_BEGIN

/* Thumb cores of the M profile, best first: with the DSP extension, Thumb-2, Thumb-1. */
#if !BP_ISA_PORTABLE && defined(__GNUC__) && defined(__thumb__) && defined(__ARMEL__) &&           \
    __ARM_ARCH_PROFILE == 'M'
#if defined(__ARM_FEATURE_SIMD32)
#define BP_ISA_ARMV7EM 1
#define BP_ISA_NAME "armv7em"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv7em
#define BP_ISA_HALFWORD_COLUMNS bp_halfword_columns_s8_armv7em
#define BP_ISA_HALFWORD_ROWS bp_halfword_rows_s8_armv7em
#define BP_ISA_SGD_ROW bp_sgd_row_s16_armv7em
#define BP_ISA_FINISH_ROWS bp_finish_rows_s8_thumb2
#define BP_ISA_CONV_COLUMNS bp_conv_columns_s8_armv7em
#define BP_ISA_CONV_BLOCK bp_conv_block_s8_armv7em
#define BP_ISA_CONV_PIXELS 4
#define BP_ISA_DEPTHWISE_SPREAD bp_depthwise_spread_s8_armv7em
#define BP_ISA_DEPTHWISE_OUTPUTS bp_depthwise_outputs_s8_armv7em
#define BP_ISA_PLANE_BYTES 2
#define BP_ISA_CONV_HAS_PLANES 1
#define BP_ISA_ADD bp_add_elements_s8_armv7em
#define BP_ISA_MUL bp_mul_elements_s8_armv7em
#define BP_ISA_WEIGH_ROWS bp_weigh_rows_s8_armv7em
#define BP_ISA_SUM_ROWS bp_sum_rows_s8_armv7em
#define BP_ISA_WEIGH_TAPS bp_weigh_taps_s8_armv7em
#define BP_ISA_MAX_SQUARES bp_max_squares_s8_armv7em
#elif __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_8M_BASE__)
#define BP_ISA_ARMV7M 1
#define BP_ISA_NAME "armv7m"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv7m
#define BP_ISA_DEPTHWISE_SPREAD bp_depthwise_spread_s8_armv7m
#define BP_ISA_DEPTHWISE_OUTPUTS bp_depthwise_outputs_s8_armv7m
#define BP_ISA_FINISH_ROWS bp_finish_rows_s8_thumb2
#define BP_ISA_CONV_COLUMNS bp_conv_columns_s8_armv7m
#define BP_ISA_CONV_BLOCK bp_conv_block_s8_armv7m
#define BP_ISA_CONV_HAS_PLANES 1
#define BP_ISA_CONV_PIXELS 4
#else
#define BP_ISA_ARMV6M 1
#define BP_ISA_NAME "armv6m"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv6m
#define BP_ISA_SGD_ROW bp_sgd_row_s16_armv6m
#define BP_ISA_DEPTHWISE_OUTPUTS bp_depthwise_outputs_s8_armv6m
#define BP_ISA_CONV_PIXELS 4
#define BP_ISA_CONV_COLUMNS bp_conv_columns_s8_armv6m
#define BP_ISA_CONV_BLOCK bp_conv_block_s8_armv6m
#define BP_ISA_CONV_KIND bp_conv_kind_armv6m
#define BP_ISA_MAX_SQUARES bp_max_squares_s8_armv6m
#define BP_ISA_ADD_ROW bp_add_row_s8_armv6m
uint8_t bp_conv_kind_armv6m(const bp_dense_s8_t *p, uint32_t rows);
#endif
/* AVR with a multiplier and LPM Z+. It also replaces two steps of fixed.c:
 * (a * b + 2^30) >> 31, a and b not both INT32_MIN, and bp_round_shift_right. */
#elif !BP_ISA_PORTABLE && defined(__AVR_HAVE_MUL__) && defined(__AVR_HAVE_LPMX__)
#define BP_ISA_AVR 1
#define BP_ISA_NAME "avr"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_avr
#define BP_ISA_DOT_ROW bp_dot_row_s8_avr
#define BP_ISA_ROWS_ARE_SINGLE 1
#define BP_ISA_MUL_HIGH bp_mul_high_avr
#define BP_ISA_ROUND_SHIFT_RIGHT bp_round_shift_right_avr
int32_t bp_mul_high_avr(int32_t a, int32_t b);
int32_t bp_round_shift_right_avr(int32_t x, uint8_t rshift);
/* Other 32-bit CPUs: two pixels of a convolution in one word, in C. */
#elif !BP_ISA_PORTABLE && UINTPTR_MAX == 0xFFFFFFFF
#define BP_ISA_LANES 1
#define BP_ISA_NAME "lanes"
#define BP_ISA_CONV_PIXELS 4
#define BP_ISA_CONV_COLUMNS bp_conv_columns_s8_lanes
#define BP_ISA_CONV_BLOCK bp_conv_block_s8_lanes
#endif

/* What a CPU does not supply is the plain C. */
#ifndef BP_ISA_NAME
#define BP_ISA_NAME "portable"
#endif
#ifndef BP_ISA_DOT_ROWS
#define BP_ISA_DOT_ROWS bp_dot_rows_s8
#endif
#ifndef BP_ISA_DOT_ROW
#define BP_ISA_DOT_ROW bp_dot_row_s8
#endif
#ifndef BP_ISA_SGD_ROW
#define BP_ISA_SGD_ROW bp_sgd_row_s16
#endif
#ifndef BP_ISA_BACKWARD
#define BP_ISA_BACKWARD bp_dense_backward_s8
#endif
/* Firmware without its own primitives for a convolution's block computes pixel by pixel. */
#ifndef BP_ISA_CONV_PIXELS
#define BP_ISA_CONV_PIXELS 0
#define BP_ISA_CONV_COLUMNS bp_conv_columns_s8
#define BP_ISA_CONV_BLOCK bp_conv_block_s8
#endif
#define BP_ISA_MOST_PIXELS (BP_ISA_CONV_PIXELS == 0 ? 1 : BP_ISA_CONV_PIXELS)
bp_conv_columns_t BP_ISA_CONV_COLUMNS;
bp_conv_block_t BP_ISA_CONV_BLOCK;
#ifndef BP_ISA_DEPTHWISE_SPREAD
#define BP_ISA_DEPTHWISE_SPREAD bp_depthwise_spread_s8
#endif
#ifndef BP_ISA_DEPTHWISE_OUTPUTS
#define BP_ISA_DEPTHWISE_OUTPUTS bp_depthwise_outputs_s8
#endif
#ifndef BP_ISA_ADD
#define BP_ISA_ADD bp_add_elements_s8
#endif
#ifndef BP_ISA_MUL
#define BP_ISA_MUL bp_mul_elements_s8
#endif
#ifndef BP_ISA_PATCH_SUMS
#define BP_ISA_PATCH_SUMS bp_patch_sums_s8
#endif
#ifndef BP_ISA_MAX_SQUARES
#define BP_ISA_MAX_SQUARES bp_max_squares_s8
#endif
bp_dot_rows_t BP_ISA_DOT_ROWS;
bp_dot_row_t BP_ISA_DOT_ROW;
bp_sgd_row_t BP_ISA_SGD_ROW;
bp_backward_t BP_ISA_BACKWARD;
bp_depthwise_spread_t BP_ISA_DEPTHWISE_SPREAD;
bp_depthwise_outputs_t BP_ISA_DEPTHWISE_OUTPUTS;
bp_add_elements_t BP_ISA_ADD;
bp_mul_elements_t BP_ISA_MUL;
bp_patch_sums_t BP_ISA_PATCH_SUMS;
bp_max_squares_t BP_ISA_MAX_SQUARES;

#endif

/* Bytes of a value in the planes of a depthwise convolution. */
#ifndef BP_ISA_PLANE_BYTES
#define BP_ISA_PLANE_BYTES 1
#endif

/* What the CPU knows of the rows of a convolution, which BP_ISA_CONV_BLOCK gets as p->fast. */
#ifndef BP_ISA_CONV_KIND
#define BP_ISA_CONV_KIND(p, rows) 1
#endif

/* 1 if its planes are faster than blocks also for a convolution of one channel. */
#ifndef BP_ISA_CONV_HAS_PLANES
#define BP_ISA_CONV_HAS_PLANES 0
#endif

#ifndef BP_ISA_FINISH_ROWS
#define BP_ISA_FINISH_ROWS bp_finish_rows_s8
#endif
bp_finish_rows_t BP_ISA_FINISH_ROWS;
/* Rows of halfwords are for firmware; hosts that read such an image have the plain C. */
#ifndef BP_ISA_HALFWORD_ROWS
#define BP_ISA_HALFWORD_COLUMNS bp_halfword_columns_s8
#define BP_ISA_HALFWORD_ROWS bp_halfword_rows_s8
#endif
bp_halfword_columns_t BP_ISA_HALFWORD_COLUMNS;
bp_halfword_rows_t BP_ISA_HALFWORD_ROWS;

/* Rows that are weighed and summed up in training; hosts have the plain C. */
#ifndef BP_ISA_WEIGH_ROWS
#define BP_ISA_WEIGH_ROWS bp_weigh_rows_s8
#define BP_ISA_SUM_ROWS bp_sum_rows_s8
#define BP_ISA_WEIGH_TAPS bp_weigh_taps_s8
#endif
bp_weigh_rows_t BP_ISA_WEIGH_ROWS;
bp_sum_rows_t BP_ISA_SUM_ROWS;
bp_weigh_taps_t BP_ISA_WEIGH_TAPS;

/* sums[i] += factor * row[i] for n values, if a CPU supplies it; elsewhere compilers do it well. */
#ifdef BP_ISA_ADD_ROW
void BP_ISA_ADD_ROW(int32_t *sums, const int8_t *row, int32_t factor, uint32_t n);
#endif

/* 1 if a block of 4 rows is no faster than 4 single rows. */
#ifndef BP_ISA_ROWS_ARE_SINGLE
#define BP_ISA_ROWS_ARE_SINGLE 0
#endif

#endif
