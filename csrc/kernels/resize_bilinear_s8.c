#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stddef.h>

/* Two neighbours on an axis, as bytes from the first value on, and their weights. The first
 * output positions may be in front of the input: then both are the first value, one with a
 * negative weight. */
typedef struct {
    uint32_t offset[2];
    int32_t weight[2]; /* of BP_BILINEAR_ONE together */
} neighbours_t;

static neighbours_t neighbours(const bp_bilinear_axis_t *axis, uint32_t o, uint32_t n,
                               uint32_t bytes) {
    const int32_t at = (int32_t)o * axis->step + axis->start;
    const int32_t lower = at < 0 ? 0 : at / BP_BILINEAR_ONE;
    const int32_t weight = at - lower * BP_BILINEAR_ONE;
    const uint32_t first = (uint32_t)lower * bytes;
    const uint32_t second = weight > 0 && (uint32_t)lower + 1 < n ? first + bytes : first;
    return (neighbours_t){{first, second}, {BP_BILINEAR_ONE - weight, weight}};
}

/* |weight| <= 1536: each product has at most 29 bits and a sign, and |sum| <= 2^27. */
static int8_t interpolated(const int8_t *x, const neighbours_t *v, const neighbours_t *u) {
    int32_t sum = 0;
    for (uint8_t i = 0; i < 2; ++i) {
        for (uint8_t k = 0; k < 2; ++k) {
            const int8_t value = x[(size_t)(v->offset[i] + u->offset[k])];
            sum += value * v->weight[i] * u->weight[k];
        }
    }
    return (int8_t)bp_round_shift_right(sum, 20);
}

void bp_resize_bilinear_s8(int8_t *y, const int8_t *x, const bp_resize_t *p,
                           const bp_bilinear_axis_t axes[2]) {
    const uint32_t row_bytes = p->x_width * p->channels;
    for (uint32_t i = 0; i < p->batch; ++i, x += (size_t)(p->x_height * row_bytes)) {
        for (uint32_t o = 0; o < p->y_height; ++o) {
            const neighbours_t v = neighbours(&axes[0], o, p->x_height, row_bytes);
            for (uint32_t k = 0; k < p->y_width; ++k) {
                const neighbours_t u = neighbours(&axes[1], k, p->x_width, p->channels);
                for (uint32_t c = 0; c < p->channels; ++c) {
                    *y++ = interpolated(x + (size_t)c, &v, &u);
                }
            }
        }
    }
}
