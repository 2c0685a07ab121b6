/* bp_dot_rows_s8 for arm64 with NEON: SMULL of 8 bytes, SADALP. Exact: a product is at most 2^14. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include <arm_neon.h>

static inline int32x4_t dot_16(int32x4_t sums, int8x16_t x, int8x16_t w) {
    sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(x), vget_low_s8(w)));
    return vpadalq_s16(sums, vmull_s8(vget_high_s8(x), vget_high_s8(w)));
}

#include "isa/arm64/dot_rows_arm64.h"

void bp_dot_rows_s8_neon(int32_t *acc, const int8_t *x, const uint8_t *weights,
                         uint16_t row_stride, uint16_t n_in) {
    dot_rows(acc, x, weights, row_stride, n_in);
}
#endif
