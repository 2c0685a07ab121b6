#include "isa/isa.h"
#include <byteprop/config.h>
#include <byteprop/kernels.h>

static uint32_t two_halfwords(int32_t low, int32_t high) {
    return (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
}

static int32_t with_difference(int32_t first, int32_t second) {
    return 256 * first + 127 - second;
}

void bp_halfword_columns_s8(uint32_t *columns, const int8_t *x, uint16_t n) {
    for (uint16_t i = 0; i < n; i = (uint16_t)(i + 4), columns += 2) {
        int32_t word[4] = {0, 0, 0, 0};
        for (uint16_t k = 0; k < 4 && i + k < n; ++k) {
            word[k] = x[i + k];
        }
        columns[0] = two_halfwords(word[1], word[3]);
        columns[1] = two_halfwords(with_difference(word[0], word[1]),
                                   with_difference(word[2], word[3]));
    }
}

/* The products of a word of weights with two words of columns. */
static int32_t products(const uint8_t *weights, const uint32_t *columns) {
    const int32_t low = (int16_t)BP_ROM_U16(weights), high = (int16_t)BP_ROM_U16(weights + 2);
    const int32_t sum = bp_add_wrap(low * (int16_t)(uint16_t)columns[0],
                                    high * (int16_t)(uint16_t)(columns[0] >> 16));
    return bp_add_wrap(
        sum, bp_add_wrap(BP_ROM_I8(weights) * (int16_t)(uint16_t)columns[1],
                         BP_ROM_I8(weights + 2) * (int16_t)(uint16_t)(columns[1] >> 16)));
}

void bp_halfword_rows_s8(int32_t *acc, const uint32_t *columns, const uint8_t *weights,
                         const bp_halfwords_t *h) {
    const uint32_t in_blocks = h->n_rows - h->n_rows % BP_HALFWORD_ROWS;
    for (uint32_t j = 0; j < h->n_rows; ++j) {
        const uint32_t block = j < in_blocks ? j - j % BP_HALFWORD_ROWS : j;
        const uint32_t words = j < in_blocks ? BP_HALFWORD_ROWS : 1;
        const uint8_t *row =
            weights + (size_t)(block * h->row_stride + words * h->begin + 4 * (j - block));
        for (uint32_t i = 0; i < h->n; i += 4, row += 4 * words) {
            acc[j] = bp_add_wrap(acc[j], products(row, columns + (size_t)(i / 2)));
        }
    }
}
