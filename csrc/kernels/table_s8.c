#include <byteprop/config.h>
#include <byteprop/kernels.h>

void bp_table_s8(int8_t *y, const int8_t *x, uint32_t n, const uint8_t *table) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = BP_ROM_I8(table + (uint8_t)x[i]);
    }
}
