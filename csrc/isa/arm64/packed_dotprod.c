/* Packed convolutions for arm64 with the dot product of ARMv8.2: SDOT takes signed bytes, so images
 * are as they are. */
#include "isa/isa.h"

#if BP_ISA_ARM64
#include "isa/arm64/dotprod.h"
#include "isa/arm64/vec_neon.h"

PACKED_INLINE vec_t dot(vec_t sum, int8x16_t x, int8x16_t w) {
    return sdot(sum, x, w);
}

#include "isa/arm64/packed_arm64.h"

const bp_packed_isa_t bp_packed_dotprod = {
    .lanes = LANES,
    .conv_bytes = 1,
    .sum_offset = SUM_OFFSET,
    .conv_widen = copy,
    .conv = packed_conv,
    .depthwise_widen = copy,
    .depthwise = packed_depthwise,
};
#endif
