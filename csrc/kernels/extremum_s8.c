#include <byteprop/kernels.h>

void bp_extremum_s8(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n, uint8_t greater) {
    for (uint32_t i = 0; i < n; ++i) {
        int8_t a = x1[i], b = x2[i];
        y[i] = (a > b) == (greater != 0) ? a : b;
    }
}
