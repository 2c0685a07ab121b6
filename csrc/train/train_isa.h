/* The seam for tuned code of training, beside isa/isa.h: what is not supplied for an instruction
 * set is the portable code. Contracts in train/kernels.h; weight rows start 4-byte aligned, x may
 * have any alignment, and nothing beyond a row's n bytes may be written, nor of x read. */
#ifndef BYTEPROP_TRAIN_ISA_H
#define BYTEPROP_TRAIN_ISA_H

#include "isa/isa.h"
#include "train/kernels.h"

#if BP_ISA_AT_RUN_TIME
typedef struct {
    bp_row_change_t (*sgd_row)(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, uint16_t n,
                               int32_t c, bp_rounding_t rounding);
    void (*backward)(int32_t *dx, const int32_t *delta, const int8_t *weights, uint16_t row_stride,
                     uint16_t n_in, uint16_t n_out);
} bp_train_isa_t;
/* Belongs to what bp_isa gives. */
const bp_train_isa_t *bp_train_isa(void);
#define BP_ISA_SGD_ROW bp_train_isa()->sgd_row
#define BP_ISA_BACKWARD bp_train_isa()->backward
bp_row_change_t bp_sgd_row_s16_avx2(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                    uint16_t n, int32_t c, bp_rounding_t rounding);
void bp_dense_backward_s8_avx2(int32_t *dx, const int32_t *delta, const int8_t *weights,
                               uint16_t row_stride, uint16_t n_in, uint16_t n_out);
#else
#if defined(BP_ISA_ARMV7EM)
#define BP_ISA_SGD_ROW bp_sgd_row_s16_armv7em
#elif defined(BP_ISA_ARMV6M)
#define BP_ISA_SGD_ROW bp_sgd_row_s16_armv6m
#else
#define BP_ISA_SGD_ROW bp_sgd_row_s16
#endif
#define BP_ISA_BACKWARD bp_dense_backward_s8
bp_row_change_t BP_ISA_SGD_ROW(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, uint16_t n,
                               int32_t c, bp_rounding_t rounding);
#endif

#endif
