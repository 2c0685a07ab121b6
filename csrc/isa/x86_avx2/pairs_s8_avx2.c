/* Sums and products of elements for x86-64 with AVX2: 32 results at a time, exact. */
#include "isa/isa.h"

#if BP_ISA_X86_64
#define PACKED_TARGET __attribute__((target("avx2")))
#include "isa/x86_avx2/vec_avx2.h"

#include "isa/pairs_s8.h"

void bp_add_elements_s8_avx2(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                             const bp_add_t *p) {
    add_s8(y, x1, x2, n, p);
}

void bp_mul_elements_s8_avx2(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                             const bp_mul_t *p) {
    mul_s8(y, x1, x2, n, p);
}
#endif
