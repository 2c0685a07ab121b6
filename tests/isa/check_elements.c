/* Sums and products of elements, sums of patches and maxima of squares, against the definitions. */
#include "check.h"

#include "isa/isa.h"
#include <byteprop/kernels.h>
#include <stddef.h>

enum { MOST = 80, CASES = 120 };

static uint32_t state;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

/* Random bytes, or only the lowest and the highest. */
static int8_t *filled(check_buffer_t *buffer, uint32_t slot, uint32_t n, uint32_t pattern) {
    int8_t *bytes = (int8_t *)buffer(slot, n);
    for (uint32_t i = 0; i < n; ++i) {
        const int8_t extreme = below(2) ? -128 : 127;
        bytes[i] = pattern == 0 ? extreme : (int8_t)(uint8_t)below(256);
    }
    return bytes;
}

static int32_t any_multiplier(void) {
    const uint32_t kind = below(4);
    return kind == 0   ? (int32_t)1 << 30
           : kind == 1 ? INT32_MAX
                       : (int32_t)(((uint32_t)1 << 30) | below((uint32_t)1 << 24) << 6);
}

static int8_t any_zero_point(void) {
    return (int8_t)(below(3) == 0 ? -128 : (int32_t)below(256) - 128);
}

static void set_range(int8_t *y_min, int8_t *y_max) {
    *y_min = (int8_t)(below(2) ? -128 : (int32_t)below(100) - 128);
    *y_max = (int8_t)(below(2) ? 127 : (int32_t)below(100) + 20);
}

static bp_add_t any_add(uint32_t variant) {
    bp_add_t p;
    for (uint8_t i = 0; i < 3; ++i) {
        p.mult_q31[i] = any_multiplier();
        p.lshift[i] = (int8_t)-(int32_t)below(variant % 3 == 0 ? 32 : i == 2 ? 20 : 4);
    }
    if (variant % 3 == 1) { /* as two scales give it */
        p.mult_q31[variant / 3 % 2] = (int32_t)1 << 30;
        p.lshift[variant / 3 % 2] = 0;
    }
    p.x_zp[0] = any_zero_point();
    p.x_zp[1] = any_zero_point();
    p.y_zp = any_zero_point();
    set_range(&p.y_min, &p.y_max);
    p.subtract = variant % 5 == 0;
    return p;
}

static uint32_t compare(const int8_t *expected, const int8_t *y, uint32_t n, const char *what,
                        uint32_t number, check_report_t *report) {
    for (uint32_t i = 0; i < n; ++i) {
        if (expected[i] != y[i]) {
            report(what, number);
            break;
        }
    }
    return n;
}

static uint32_t check_add(check_buffer_t *buffer, uint32_t variant, check_report_t *report) {
    BP_ISA_BEGIN
    static int8_t expected[MOST];
    const uint32_t n = 1 + below(MOST);
    const bp_add_t p = any_add(variant);
    const int8_t *x1 = filled(buffer, 0, n, variant % 4);
    const int8_t *x2 = filled(buffer, 1, n, variant % 4);
    int8_t *y = (int8_t *)buffer(2, n);
    bp_add_elements_s8(expected, x1, x2, n, &p);
    BP_ISA_ADD(y, x1, x2, n, &p);
    return compare(expected, y, n, "add, variant", variant, report);
}

static uint32_t check_mul(check_buffer_t *buffer, uint32_t variant, check_report_t *report) {
    BP_ISA_BEGIN
    static int8_t expected[MOST];
    const uint32_t n = 1 + below(MOST);
    bp_mul_t p = {
        .mult_q31 = any_multiplier(),
        .lshift = (int8_t)(variant % 3 == 0 ? 3 - (int32_t)below(34) : -(int32_t)below(12)),
        .x_zp = {any_zero_point(), any_zero_point()},
        .y_zp = any_zero_point(),
    };
    set_range(&p.y_min, &p.y_max);
    const int8_t *x1 = filled(buffer, 0, n, variant % 4);
    const int8_t *x2 = filled(buffer, 1, n, variant % 4);
    int8_t *y = (int8_t *)buffer(2, n);
    bp_mul_elements_s8(expected, x1, x2, n, &p);
    BP_ISA_MUL(y, x1, x2, n, &p);
    return compare(expected, y, n, "mul, variant", variant, report);
}

static uint32_t check_patch(check_buffer_t *buffer, uint32_t variant, check_report_t *report) {
    BP_ISA_BEGIN
    int32_t expected[BP_PATCH_CHANNELS], sums[BP_PATCH_CHANNELS];
    const uint8_t n = (uint8_t)(variant % 2 ? BP_PATCH_CHANNELS : 1 + below(BP_PATCH_CHANNELS));
    const uint32_t step = n + below(4);
    bp_patch_t patch = {1 + below(4), 1 + below(4), 0, step};
    patch.row_step = (patch.width + below(3)) * step;
    const uint32_t bytes = (patch.height - 1) * patch.row_step + (patch.width - 1) * step + n;
    const int8_t *x = filled(buffer, 0, bytes, variant % 4);
    bp_patch_sums_s8(expected, x, &patch, n);
    BP_ISA_PATCH_SUMS(sums, x, &patch, n);
    for (uint8_t c = 0; c < n; ++c) {
        if (expected[c] != sums[c]) {
            report("patch sums, variant", variant);
        }
    }
    return n;
}

/* Half of the values are near each other, so that several are the greatest. */
static uint32_t check_squares(check_buffer_t *buffer, uint32_t variant, check_report_t *report) {
    static int8_t expected[MOST];
    static uint8_t expected_places[MOST];
    const uint32_t n = variant % 2 ? 4 * (1 + below(3)) : 1 + below(9);
    bp_squares_t p = {n, 1 + below(MOST / n), (1 + below(3)) * n, 0};
    p.row_step = ((p.windows - 1) * p.step / n + 2 + below(3)) * n;
    const uint32_t bytes = p.row_step + (p.windows - 1) * p.step + 2 * n, n_y = p.windows * n;
    int8_t *x = filled(buffer, 0, bytes, variant % 4);
    for (uint32_t i = 0; i < bytes && variant % 4 == 3; ++i) {
        x[i] = (int8_t)(x[i] >> 6);
    }
    int8_t *y = (int8_t *)buffer(1, n_y);
    uint8_t *places = buffer(2, n_y);
    bp_max_squares_s8(expected, expected_places, x, &p);
    BP_ISA_MAX_SQUARES(y, places, x, &p);
    compare(expected, y, n_y, "maxima, variant", variant, report);
    compare((int8_t *)expected_places, (int8_t *)places, n_y, "places, variant", variant, report);
    BP_ISA_MAX_SQUARES(y, NULL, x, &p);
    return compare(expected, y, n_y, "maxima alone, variant", variant, report);
}

uint32_t check_elements(check_buffer_t *buffer, check_report_t *report) {
    uint32_t comparisons = 0;
    state = 7;
    for (uint32_t variant = 0; variant < CASES; ++variant) {
        comparisons += check_add(buffer, variant, report);
        comparisons += check_mul(buffer, variant, report);
        comparisons += check_patch(buffer, variant, report);
        comparisons += check_squares(buffer, variant, report);
    }
    return comparisons;
}
