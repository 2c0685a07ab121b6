/* Which taps of a moving window are inside of its input: for pooling and for convolutions. */
#ifndef BYTEPROP_KERNELS_WINDOW_H
#define BYTEPROP_KERNELS_WINDOW_H

#include <byteprop/kernels.h>

/* Taps begin .. end - 1 are inside; tap begin is at input position `at`. None: begin = end. */
typedef struct {
    uint32_t begin;
    uint32_t end;
    uint32_t at;
} bp_taps_t;

/* Of output position o, over n input positions. o * stride and n have at most 31 bits, which
 * bp_check_window sees to. */
static inline bp_taps_t bp_window_taps(const bp_window_t *window, uint32_t o, uint32_t n) {
    const int32_t start = (int32_t)(o * window->stride) - window->pad;
    const uint32_t dilation = window->dilation;
    const uint32_t outside = start < 0 ? (uint32_t)-start : 0;
    const uint32_t begin = dilation == 1 ? outside : (outside + dilation - 1) / dilation;
    const uint32_t at = (uint32_t)(start + (int32_t)(begin * dilation));
    if (at >= n || begin >= window->kernel) {
        return (bp_taps_t){0, 0, 0};
    }
    const uint32_t more = dilation == 1 ? n - 1 - at : (n - 1 - at) / dilation;
    const uint32_t rest = window->kernel - 1 - begin;
    return (bp_taps_t){begin, begin + 1 + (more < rest ? more : rest), at};
}

/* Input positions of n_out outputs, from the first that a window takes to the last; dilation 1. */
static inline uint32_t bp_window_extent(const bp_window_t *window, uint32_t n_out) {
    return (n_out - 1) * window->stride + window->kernel;
}

#endif
