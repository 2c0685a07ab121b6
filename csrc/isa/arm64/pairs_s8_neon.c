/* Sums and products of elements for arm64 with NEON: 16 results at a time, exact. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include "isa/arm64/vec_neon.h"

#include "isa/pairs_s8.h"

void bp_add_elements_s8_neon(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                             const bp_add_t *p) {
    add_s8(y, x1, x2, n, p);
}

void bp_mul_elements_s8_neon(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                             const bp_mul_t *p) {
    mul_s8(y, x1, x2, n, p);
}
#endif
