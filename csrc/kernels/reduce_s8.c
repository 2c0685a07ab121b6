#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stddef.h>

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

/* Of at most 2^24 values, so 32 bits hold it. */
static int32_t sum_of(const int8_t *x, const bp_reduction_t *r) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < r->extent[1]; ++i, x += step_of(r)) {
        for (uint32_t k = 0; k < r->extent[3]; ++k) {
            sum += x[(size_t)(k * r->extent[4])];
        }
    }
    return sum;
}

static int8_t max_of(const int8_t *x, const bp_reduction_t *r) {
    int8_t max = x[0];
    for (uint32_t i = 0; i < r->extent[1]; ++i, x += step_of(r)) {
        for (uint32_t k = 0; k < r->extent[3]; ++k) {
            const int8_t value = x[(size_t)(k * r->extent[4])];
            max = value > max ? value : max;
        }
    }
    return max;
}

void bp_mean_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r, const bp_mean_t *p) {
    const int32_t zero_points = (int32_t)(r->extent[1] * r->extent[3]) * p->x_zp;
    for (uint32_t i = 0; i < r->extent[0]; ++i) {
        for (uint32_t k = 0; k < r->extent[2]; ++k) {
            const int8_t *base = base_of(x, r, i, k);
            for (uint32_t c = 0; c < r->extent[4]; ++c) {
                /* Modulo 2^32, as TensorFlow Lite. */
                const uint32_t sum = (uint32_t)sum_of(base + c, r) - (uint32_t)zero_points;
                const int32_t mean = bp_requant((int32_t)sum, p->mult_q31, p->lshift);
                *y++ = (int8_t)bp_clamp(bp_add_wrap(mean, p->y_zp), INT8_MIN, INT8_MAX);
            }
        }
    }
}

void bp_reduce_max_s8(int8_t *y, const int8_t *x, const bp_reduction_t *r) {
    for (uint32_t i = 0; i < r->extent[0]; ++i) {
        for (uint32_t k = 0; k < r->extent[2]; ++k) {
            const int8_t *base = base_of(x, r, i, k);
            for (uint32_t c = 0; c < r->extent[4]; ++c) {
                *y++ = max_of(base + c, r);
            }
        }
    }
}
