#include <byteprop/kernels.h>

#include "ops/ops.h"

/* Rows of halfwords: what bp_halfword_rows_t takes for granted. */

/* The sum of the magnitudes of two weights; BP_HALFWORD_MAX_SUM + 1 for what is none, or for a second
 * weight that is not 0 without being inside the row. */
static uint32_t magnitude(const uint8_t *halfword, uint32_t n_left) {
    const int32_t first = BP_ROM_I8(halfword);
    const int32_t second = ((int16_t)BP_ROM_U16(halfword) - first) >> 8;
    const bool is_weight = first != -128 && second >= -127 && second <= 127;
    const bool is_inside = (n_left > 0 || first == 0) && (n_left > 1 || second == 0);
    return is_weight && is_inside
               ? (uint32_t)((first < 0 ? -first : first) + (second < 0 ? -second : second))
               : BP_HALFWORD_MAX_SUM + 1;
}

/* step: bytes from one word of the row to its next one. */
static bool is_row(const uint8_t *row, uint32_t step, uint32_t n_in) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < bp_row_stride(n_in) && sum <= BP_HALFWORD_MAX_SUM; i += 2) {
        sum += magnitude(row + (size_t)(i / 4 * step + i % 4), i < n_in ? n_in - i : 0);
    }
    return sum <= BP_HALFWORD_MAX_SUM;
}

bp_status_t bp_check_halfwords(const bp_reader_t *reader, uint32_t weights, uint32_t n_in,
                                 uint32_t n_out) {
    const uint8_t *block = reader->model->image + (size_t)weights;
    const uint32_t stride = bp_row_stride(n_in), left_over = n_out % BP_HALFWORD_ROWS;
    for (uint32_t j = 0; j < n_out; ++j) {
        const bool in_block = j < n_out - left_over;
        const uint32_t row = in_block ? j % BP_HALFWORD_ROWS : 0;
        const uint32_t step = in_block ? 4 * BP_HALFWORD_ROWS : 4;
        const uint32_t begin = (j - row) * stride + 4 * row;
        if (!is_row(block + (size_t)begin, step, n_in)) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}
