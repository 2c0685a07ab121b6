/* The seam for tuned code, internal to csrc. Primitives can be supplied for an instruction set;
 * what is not supplied is the portable one of kernels/.
 *
 *   bp_dot_rows_s8_<isa>  4 rows, contract of bp_dot_rows_s8
 *   bp_dot_row_s8_<isa>   1 row, contract of bp_dot_row_s8, for the rows left over
 *   bp_mul_high_<isa>     (a * b + 2^30) >> 31 of kernels/fixed.c, a and b not both INT32_MIN
 *   bp_round_shift_right_<isa>  contract of bp_round_shift_right
 *
 * Weight rows start 4-byte aligned and are zero from n_in to row_stride. x may have any alignment
 * (a layer with several rows of inputs and an odd n_in), and nothing beyond its n_in bytes may be
 * read.
 *
 * Firmware picks when it is compiled: an #elif below names the primitives as macros. Hosts pick
 * when they run: a bp_isa_t in isa.c, best first. -DBP_ISA_PORTABLE=1 forces the portable code. */
#ifndef BYTEPROP_ISA_H
#define BYTEPROP_ISA_H

#include <byteprop/kernels.h>
#include <stdint.h>

#ifndef BP_ISA_PORTABLE
#define BP_ISA_PORTABLE 0
#endif

/* sum_i row[i] * x[i] over n_in columns; row is ROM. The plain C definition. */
int32_t bp_dot_row_s8(const int8_t *x, const uint8_t *row, uint16_t n_in);

#if !BP_ISA_PORTABLE && defined(__x86_64__) && defined(__GNUC__)
#define BP_ISA_AT_RUN_TIME 1
#else
#define BP_ISA_AT_RUN_TIME 0
#endif

/* Thumb cores of the M profile, best first: with the DSP extension, Thumb-2, Thumb-1. */
#if !BP_ISA_PORTABLE && defined(__GNUC__) && defined(__thumb__) && defined(__ARMEL__) &&           \
    __ARM_ARCH_PROFILE == 'M'
#if defined(__ARM_FEATURE_SIMD32)
#define BP_ISA_ARMV7EM 1
#elif __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_ARCH_8M_BASE__)
#define BP_ISA_ARMV7M 1
#else
#define BP_ISA_ARMV6M 1
#endif
#endif

/* AVR with a multiplier and LPM Z+. */
#if !BP_ISA_PORTABLE && defined(__AVR_HAVE_MUL__) && defined(__AVR_HAVE_LPMX__)
#define BP_ISA_AVR 1
#endif

#if BP_ISA_AT_RUN_TIME
typedef struct {
    const char *name;
    void (*dot_rows)(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                     uint16_t n_in);
    int32_t (*dot_row)(const int8_t *x, const uint8_t *row, uint16_t n_in);
} bp_isa_t;
/* The primitives in use; the best ones the CPU has until bp_isa_select says otherwise. */
const bp_isa_t *bp_isa(void);
#define BP_ISA_BEGIN const bp_isa_t *isa_in_use = bp_isa();
#define BP_ISA_DOT_ROWS isa_in_use->dot_rows
#define BP_ISA_DOT_ROW isa_in_use->dot_row
void bp_dot_rows_s8_avx2(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                         uint16_t n_in);
#else
#define BP_ISA_BEGIN
#if defined(BP_ISA_ARMV7EM)
#define BP_ISA_NAME "armv7em"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv7em
#elif defined(BP_ISA_ARMV7M)
#define BP_ISA_NAME "armv7m"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv7m
#elif defined(BP_ISA_ARMV6M)
#define BP_ISA_NAME "armv6m"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_armv6m
#elif defined(BP_ISA_AVR)
#define BP_ISA_NAME "avr"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8_avr
#define BP_ISA_DOT_ROW bp_dot_row_s8_avr
#define BP_ISA_ROWS_ARE_SINGLE 1
int32_t bp_dot_row_s8_avr(const int8_t *x, const uint8_t *row, uint16_t n_in);
#define BP_ISA_MUL_HIGH bp_mul_high_avr
int32_t bp_mul_high_avr(int32_t a, int32_t b);
#define BP_ISA_ROUND_SHIFT_RIGHT bp_round_shift_right_avr
int32_t bp_round_shift_right_avr(int32_t x, uint8_t rshift);
#else
#define BP_ISA_NAME "portable"
#define BP_ISA_DOT_ROWS bp_dot_rows_s8
#endif
#ifndef BP_ISA_DOT_ROW
#define BP_ISA_DOT_ROW bp_dot_row_s8
#endif
void BP_ISA_DOT_ROWS(int32_t *acc, const int8_t *x, const uint8_t *weights, uint16_t row_stride,
                     uint16_t n_in);
#endif

/* 1 where 4 rows cost as much as 4 times 1. */
#ifndef BP_ISA_ROWS_ARE_SINGLE
#define BP_ISA_ROWS_ARE_SINGLE 0
#endif

#endif
