#include "isa/isa.h"

void bp_add_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, const bp_add_t *p) {
    BP_ISA_BEGIN
    BP_ISA_ADD(y, x1, x2, n, p);
}
