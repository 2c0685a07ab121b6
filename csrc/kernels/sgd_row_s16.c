#include "isa/primitives.h"

bp_row_change_t bp_sgd_row_s16(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, uint16_t n,
                               int32_t c, bp_rounding_t rounding) {
    bp_row_change_t row = {0, 0};
    bp_sgd_part(wh, wl, x, x_zp, n, c, rounding, &row);
    return row;
}
