#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_LANES

#include "isa/lanes/lanes.h"

static inline int32_t join(int8_t x0, int8_t x1) {
    return x0 + (int32_t)((uint32_t)(int32_t)x1 << 16);
}

static void put_run(int32_t *column, const int8_t *const *x, size_t from, uint32_t n) {
    const int8_t *x0 = x[0] + from, *x1 = x[1] + from, *x2 = x[2] + from, *x3 = x[3] + from;
    for (; n >= 2; n -= 2, x0 += 2, x1 += 2, x2 += 2, x3 += 2, column += 2 * BP_LANES_WORDS) {
        column[0] = join(x0[0], x1[0]);
        column[1] = join(x2[0], x3[0]);
        column[2] = join(x0[1], x1[1]);
        column[3] = join(x2[1], x3[1]);
    }
    if (n != 0) {
        column[0] = join(x0[0], x1[0]);
        column[1] = join(x2[0], x3[0]);
    }
}

void bp_conv_columns_s8_lanes(int8_t *columns, uint32_t at, const int8_t *const *x,
                              const bp_runs_t *runs) {
    int32_t *column = (int32_t *)(void *)columns + (size_t)(BP_LANES_WORDS * at);
    size_t from = 0;
    for (uint32_t left = runs->count; left != 0; --left, from += runs->pitch) {
        put_run(column, x, from, runs->n);
        column += BP_LANES_WORDS * runs->n;
    }
}
#endif
