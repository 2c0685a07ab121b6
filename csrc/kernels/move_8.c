#include <byteprop/kernels.h>
#include <stddef.h>

/* The same axes with as few elements apart as can be: axes of one element dropped, and neighbours
 * joined where the outer one continues the inner one, so that the innermost run is long. */
static void join(bp_move_axis_t *joined, const bp_move_axis_t *axes) {
    uint8_t at = BP_MOVE_AXES - 1;
    for (uint8_t i = 0; i < BP_MOVE_AXES; ++i) {
        joined[i] = (bp_move_axis_t){1, 1, 1};
    }
    for (uint8_t i = BP_MOVE_AXES; i-- != 0;) {
        bp_move_axis_t *inner = &joined[at];
        const int32_t n = (int32_t)inner->n;
        if (axes[i].n == 1) {
            continue;
        }
        if (n == 1) {
            *inner = axes[i];
        } else if (axes[i].x_step == n * inner->x_step && axes[i].y_step == n * inner->y_step) {
            inner->n *= axes[i].n;
        } else {
            joined[--at] = axes[i];
        }
    }
}

static void move_run(uint8_t *y, const uint8_t *x, const bp_move_axis_t *axis) {
    if (axis->x_step == 1 && axis->y_step == 1) {
        for (uint32_t n = axis->n; n != 0; --n) {
            *y++ = *x++;
        }
        return;
    }
    for (int32_t i = 0; i < (int32_t)axis->n; ++i) {
        y[(ptrdiff_t)(i * axis->y_step)] = x[(ptrdiff_t)(i * axis->x_step)];
    }
}

void bp_move_8(uint8_t *y, const uint8_t *x, const bp_move_axis_t axes[BP_MOVE_AXES]) {
    bp_move_axis_t to[BP_MOVE_AXES];
    join(to, axes);
    for (int32_t i = 0; i < (int32_t)to[0].n; ++i) {
        for (int32_t k = 0; k < (int32_t)to[1].n; ++k) {
            for (int32_t l = 0; l < (int32_t)to[2].n; ++l) {
                int32_t x_at = i * to[0].x_step + k * to[1].x_step + l * to[2].x_step;
                int32_t y_at = i * to[0].y_step + k * to[1].y_step + l * to[2].y_step;
                move_run(y + (ptrdiff_t)y_at, x + (ptrdiff_t)x_at, &to[3]);
            }
        }
    }
}
