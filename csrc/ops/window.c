#include "ops/window.h"

#include "ops/ops.h"

void bp_window_record(bp_window_t window[2], const uint8_t *words) {
    for (uint8_t i = 0; i < 2; ++i, words += 2) {
        window[i] = (bp_window_t){.kernel = BP_ROM_U16(words),
                                  .stride = BP_ROM_U16(words + 4),
                                  .dilation = BP_ROM_U16(words + 8),
                                  .pad = BP_ROM_U16(words + 12)};
    }
}

/* One axis: n_in positions become n_out. */
static bp_status_t check_axis(const bp_window_t *window, uint32_t n_in, uint32_t n_out) {
    if (window->kernel == 0 || window->stride == 0 || window->dilation == 0) {
        return BP_E_PARAM;
    }
    const uint32_t from_first = (uint32_t)(window->kernel - 1u) * window->dilation;
    if (window->pad > from_first || from_first >= BP_MODEL_MAX_ARENA_BYTES) {
        return BP_E_PARAM;
    }
    return n_out - 1 <= (n_in - 1 + window->pad) / window->stride ? BP_OK : BP_E_SHAPE;
}

bp_status_t bp_check_window(const bp_window_t window[2], const uint8_t *x, const uint8_t *y) {
    if (bp_record_rank(x) != BP_IMAGE_RANK || bp_record_rank(y) != BP_IMAGE_RANK ||
        bp_record_dim(x, BP_AXIS_BATCH) != bp_record_dim(y, BP_AXIS_BATCH)) {
        return BP_E_SHAPE;
    }
    for (uint8_t i = 0; i < 2; ++i) {
        const uint8_t axis = (uint8_t)(BP_AXIS_HEIGHT + i);
        BP_TRY(check_axis(&window[i], bp_record_dim(x, axis), bp_record_dim(y, axis)));
    }
    return BP_OK;
}
