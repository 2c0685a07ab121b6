/* bp_finish_rows_s8 for Thumb-2 cores: SSAT saturates, and with the DSP extension SMMLAR multiplies,
 * rounds and adds at once. In C around these two, because gcc 12 makes neither from C. */
#include "isa/isa.h"
#include <byteprop/config.h>

#if defined(BP_ISA_ARMV7EM) || defined(BP_ISA_ARMV7M)

static inline int32_t saturated(int32_t x) {
    __asm__("ssat %0, #8, %1" : "=r"(x) : "r"(x) : "cc");
    return x;
}

/* bp_requant_short, before its shift to the right. */
static inline int32_t scaled(int32_t sum, int32_t mult_q31, int32_t rounding) {
#ifdef BP_ISA_ARMV7EM
    int32_t high = rounding + (sum >> 31);
    __asm__("smmlar %0, %1, %2, %0" : "+r"(high) : "r"(2 * sum), "r"(mult_q31));
    return high;
#else
    return bp_requant_short(sum, mult_q31, rounding, 0);
#endif
}

void bp_finish_rows_s8_thumb2(int8_t *y, const int32_t *acc, const bp_dense_s8_t *p,
                              uint16_t first, uint8_t n) {
    if (!p->fast) {
        bp_finish_rows_s8(y, acc, p, first, n);
        return;
    }
    const int32_t *bias = (const int32_t *)(const void *)p->bias + first, *end = acc + n;
    const int32_t *mult_q31 = (const int32_t *)(const void *)p->mult_q31;
    const int8_t *lshift = (const int8_t *)p->lshift;
    const int32_t two_y_zp_1 = 2 * p->y_zp + 1;
    if (p->per_channel) {
        mult_q31 += first;
        for (lshift += first; acc != end; ++lshift) {
            const int32_t rshift = -*lshift, rounding = two_y_zp_1 << (rshift - 1);
            *y++ = (int8_t)saturated(scaled(*bias++ + *acc++, *mult_q31++, rounding) >> rshift);
        }
    } else {
        const int32_t rshift = -*lshift, rounding = two_y_zp_1 << (rshift - 1), mult = *mult_q31;
        while (acc != end) {
            *y++ = (int8_t)saturated(scaled(*bias++ + *acc++, mult, rounding) >> rshift);
        }
    }
    if (p->y_min != -128 || p->y_max != 127) {
        for (; n != 0; --n) {
            --y;
            *y = (int8_t)bp_clamp(*y, p->y_min, p->y_max);
        }
    }
}
#endif
