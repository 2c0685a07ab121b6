/* Packed convolutions for arm64 with NEON alone. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include "isa/arm64/vec_neon.h"

/* SMULL of 8 bytes, then the 4 products of each lane added in pairs: exact, since a pair is at most
 * 2^15 and is widened. */
PACKED_INLINE vec_t dot(vec_t sum, int8x16_t x, int8x16_t w) {
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w));
    const int16x8_t high = vmull_s8(vget_high_s8(x), vget_high_s8(w));
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

#include "isa/arm64/packed_arm64.h"

const bp_packed_isa_t bp_packed_neon = {
    .lanes = LANES,
    .conv_bytes = 1,
    .sum_offset = SUM_OFFSET,
    .conv_widen = copy,
    .conv = packed_conv,
    .depthwise_widen = copy,
    .depthwise = packed_depthwise,
};
#endif
