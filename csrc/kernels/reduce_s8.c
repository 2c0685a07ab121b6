#include "isa/isa.h"
#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stddef.h>

#include "kernels/steps.h"

/* Where the value is whose two kept indices, the one before and the one between, are these. */
static const int8_t *base_of(const int8_t *x, const bp_reduction_t *r, uint32_t first,
                             uint32_t middle) {
    const uint32_t rows = first * r->extent[1] * r->extent[2] + middle;
    return x + (size_t)(rows * r->extent[3] * r->extent[4]);
}

/* From one value of the first reduced axis to the next. */
static size_t step_of(const bp_reduction_t *r) {
    return (size_t)(r->extent[2] * r->extent[3] * r->extent[4]);
}

static bp_patch_t patch_of(const bp_reduction_t *r) {
    return (bp_patch_t){r->extent[1], r->extent[3], (uint32_t)step_of(r), r->extent[4]};
}

/* n neighbouring means, of patches that begin at x. Sums of at most 2^24 values, so 32 bits hold them. */
static void put_means(int8_t *y, const int8_t *x, const bp_patch_t *patch, uint8_t n,
                      const bp_mean_t *p) {
    BP_ISA_BEGIN
    const int32_t zero_points = (int32_t)(patch->height * patch->width) * p->x_zp;
    int32_t sums[BP_PATCH_CHANNELS];
    BP_ISA_PATCH_SUMS(sums, x, patch, n);
    for (uint8_t c = 0; c < n; ++c) {
        /* Modulo 2^32, as TensorFlow Lite. */
        const uint32_t sum = (uint32_t)sums[c] - (uint32_t)zero_points;
        const int32_t mean = bp_requant((int32_t)sum, p->mult_q31, p->lshift);
        y[c] = (int8_t)bp_clamp(bp_add_wrap(mean, p->y_zp), INT8_MIN, INT8_MAX);
    }
}

void bp_mean_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r, const bp_mean_t *p) {
    const bp_patch_t patch = patch_of(r);
    for (uint32_t i = 0; i < r->extent[0]; ++i) {
        for (uint32_t k = 0; k < r->extent[2]; ++k) {
            const int8_t *base = base_of(x, r, i, k);
            for (uint32_t left = r->extent[4]; left != 0;) {
                const uint8_t n = (uint8_t)(left < BP_PATCH_CHANNELS ? left : BP_PATCH_CHANNELS);
                put_means(y, base, &patch, n, p);
                y += n;
                base += n;
                left -= n;
            }
        }
    }
}

void bp_reduce_max_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r) {
    const bp_patch_t patch = bp_as_one_row(patch_of(r));
    for (uint32_t i = 0; i < r->extent[0]; ++i) {
        for (uint32_t k = 0; k < r->extent[2]; ++k) {
            const int8_t *base = base_of(x, r, i, k);
            for (uint32_t c = 0; c < r->extent[4]; ++c) {
                *y++ = bp_max_of_patch(base + c, &patch);
            }
        }
    }
}
