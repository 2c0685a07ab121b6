/* bp_dot_rows_s8 for arm64 with the dot product of ARMv8.2. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include "isa/arm64/dotprod.h"

static inline int32x4_t dot_16(int32x4_t sums, int8x16_t x, int8x16_t w) {
    return sdot(sums, x, w);
}

#include "isa/arm64/dot_rows_arm64.h"

void bp_dot_rows_s8_dotprod(int32_t *acc, const int8_t *x, const uint8_t *weights,
                            uint16_t row_stride, uint16_t n_in) {
    dot_rows(acc, x, weights, row_stride, n_in);
}
#endif
