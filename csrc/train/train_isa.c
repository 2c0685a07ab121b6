#include "train/train_isa.h"

#if BP_ISA_AT_RUN_TIME
static const bp_train_isa_t portable = {bp_sgd_row_s16, bp_dense_backward_s8};
static const bp_train_isa_t avx2 = {bp_sgd_row_s16_avx2, bp_dense_backward_s8_avx2};

const bp_train_isa_t *bp_train_isa(void) {
    return bp_isa()->dot_rows == bp_dot_rows_s8_avx2 ? &avx2 : &portable;
}
#else
typedef char bp_train_isa_is_chosen_by_the_compiler;
#endif
