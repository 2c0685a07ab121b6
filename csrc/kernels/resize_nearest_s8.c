#include <byteprop/config.h>
#include <byteprop/kernels.h>
#include <stddef.h>

static int8_t *copy(int8_t *y, const int8_t *x, uint32_t n) {
    while (n-- != 0) {
        *y++ = *x++;
    }
    return y;
}

void bp_resize_nearest_s8(int8_t *y, const int8_t *x, const bp_resize_t *p, const uint8_t *rows,
                          const uint8_t *columns) {
    const uint32_t row_bytes = p->x_width * p->channels;
    for (uint32_t i = 0; i < p->batch; ++i, x += (size_t)(p->x_height * row_bytes)) {
        for (uint32_t v = 0; v < p->y_height; ++v) {
            const int8_t *row = x + (size_t)(BP_ROM_U16(rows + (size_t)(2 * v)) * row_bytes);
            for (uint32_t u = 0; u < p->y_width; ++u) {
                const uint32_t column = BP_ROM_U16(columns + (size_t)(2 * u));
                y = copy(y, row + (size_t)(column * p->channels), p->channels);
            }
        }
    }
}
