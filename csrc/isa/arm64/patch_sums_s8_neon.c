/* bp_patch_sums_s8 for arm64 with NEON: 16 channels in four vectors of sums. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include <arm_neon.h>
#include <stddef.h>

void bp_patch_sums_s8_neon(int32_t *sums, const int8_t *x, const bp_patch_t *patch, uint8_t n) {
    if (n != BP_PATCH_CHANNELS) {
        bp_patch_sums_s8(sums, x, patch, n);
        return;
    }
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    for (uint32_t v = 0; v < patch->height; ++v, x += (size_t)patch->row_step) {
        const int8_t *pixel = x;
        for (uint32_t u = 0; u < patch->width; ++u, pixel += (size_t)patch->step) {
            const int8x16_t bytes = vld1q_s8(pixel);
            const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
            const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
            a = vaddw_s16(a, vget_low_s16(low));
            b = vaddw_s16(b, vget_high_s16(low));
            c = vaddw_s16(c, vget_low_s16(high));
            d = vaddw_s16(d, vget_high_s16(high));
        }
    }
    vst1q_s32(sums, a);
    vst1q_s32(sums + 4, b);
    vst1q_s32(sums + 8, c);
    vst1q_s32(sums + 12, d);
}
#endif
