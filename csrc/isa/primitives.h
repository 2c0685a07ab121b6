/* The primitives that tuned code may replace, and their contracts. Each has one type, one
 * definition in plain C in kernels/, which is the definition of its result, and any number of tuned
 * versions in isa/<cpu>/ that equal it bit for bit. isa.h chooses.
 *
 * For all of them: rows of weights start 4-byte aligned and are padded to row_stride, a multiple of
 * 4; padding may be read. x may have any alignment, and nothing beyond its n bytes may be read. No
 * other byte than those of the result may be written.
 *
 * A new primitive is a type with its contract here, a definition in kernels/, a member of bp_isa_t
 * and a default in isa.h. A CPU that does not supply it keeps the plain one; those of a convolution's
 * block are only used where the CPU supplies them. */
#ifndef BYTEPROP_ISA_PRIMITIVES_H
#define BYTEPROP_ISA_PRIMITIVES_H

#include <byteprop/fixed.h>
#include <byteprop/kernels.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- inference; weights are ROM and 0 in their padding ---- */

/* acc[r] = sum_i weights[r * row_stride + i] * x[i] for 4 rows, n_in columns. */
typedef void bp_dot_rows_t(int32_t *acc, const int8_t *x, const uint8_t *weights,
                           uint16_t row_stride, uint16_t n_in);
/* sum_i row[i] * x[i] over n_in columns, for rows left over. */
typedef int32_t bp_dot_row_t(const int8_t *x, const uint8_t *row, uint16_t n_in);
bp_dot_row_t bp_dot_row_s8;

/* y[r] = clamp(requant(bias + acc[r]) + y_zp, y_min, y_max) for n rows of a dense layer, the first of
 * them number `first`. */
typedef void bp_finish_rows_t(int8_t *y, const int32_t *acc, const bp_dense_s8_t *p,
                              uint16_t first, uint8_t n);
bp_finish_rows_t bp_finish_rows_s8;

/* Rows of halfwords (BP_LAYOUT_HALFWORDS of the image): two weights of a row are the halfword
 * 256 * w[i + 1] + w[i], i even, none of them -128. Rows are in blocks of BP_HALFWORD_ROWS, word by
 * word in turn, and then those that fill no block. Inputs become columns, two words for each four:
 * x1, x3 and 256 * x0 + 127 - x1, 256 * x2 + 127 - x3, halfwords with sign, 0 for x beyond n. */
typedef void bp_halfword_columns_t(uint32_t *columns, const int8_t *x, uint16_t n);
bp_halfword_columns_t bp_halfword_columns_s8;

/* Columns begin .. begin + n - 1 of n_rows rows, the last ones of which fill no block. */
typedef struct {
    uint16_t row_stride;
    uint16_t begin; /* a multiple of 4 */
    uint16_t n;
    uint16_t n_rows;
} bp_halfwords_t;

/* Adds to acc[r] the products of the halfwords with x[i + 1], and of their lower bytes with the rest:
 * 256 * sum_i w[i] * x[i] + 127 * sum of w[i], i even. It has 32 bits if sum |w[i]| is at most
 * BP_HALFWORD_MAX_SUM; partial sums are modulo 2^32. */
typedef void bp_halfword_rows_t(int32_t *acc, const uint32_t *columns, const uint8_t *weights,
                                const bp_halfwords_t *h);
bp_halfword_rows_t bp_halfword_rows_s8;

/* A block of a convolution: BP_ISA_CONV_PIXELS output pixels. Their inputs are first put into columns,
 * whose form is the CPU's own, in at most BP_CONV_COLUMNS bytes for each weight of a row. */

/* Inputs in runs of n neighbours, one behind the other in the columns. */
typedef struct {
    uint32_t n;
    uint32_t count;
    uint32_t pitch;      /* bytes from run to run in x */
    uint32_t row_stride; /* of the weights: a pixel's inputs rounded up to 4 */
} bp_runs_t;

/* Puts inputs at at .. at + count * n - 1 of each pixel into the columns. x[i]: the first run of
 * pixel i. Inputs from n_in to row_stride - 1 are never put: whatever the columns have there, the
 * weights are 0. */
typedef void bp_conv_columns_t(int8_t *columns, uint32_t at, const int8_t *const *x,
                               const bp_runs_t *runs);
bp_conv_columns_t bp_conv_columns_s8;

/* y[i * y_step + j] for each pixel i and j = 0 .. p->n_out - 1, as bp_dense_s8 of the pixel's inputs
 * would have it for y_min = -128 and y_max = 127: the caller clamps to p's. p is per_channel and fast,
 * so bp_requant_short is exact. */
typedef void bp_conv_block_t(int8_t *y, int32_t y_step, const int8_t *columns,
                             const bp_dense_s8_t *p);
bp_conv_block_t bp_conv_block_s8;
enum { BP_CONV_PLAIN_PIXELS = 3 }; /* of the definitions' blocks */

/* ---- depthwise 3 x 3. A plane has the values of one channel, row after row: int8_t, or int16_t on
 * CPUs whose BP_ISA_PLANE_BYTES is 2. Its rows start at multiples of two values. ---- */

/* The channels, 1 to 4 of them, of rows of pixels that follow each other in memory. */
typedef struct {
    uint8_t *planes;      /* where the first value of the first channel goes */
    uint32_t plane_bytes; /* from one channel's plane to the next */
    uint32_t row_bytes;   /* from one row of a plane to the next */
    const int8_t *x;
    uint32_t x_step; /* from one pixel to the next */
    uint32_t width;  /* pixels per row */
    uint32_t rows;
    uint32_t channels;
} bp_spread_t;
/* Writes each channel into its plane. */
typedef void bp_depthwise_spread_t(const bp_spread_t *p);
bp_depthwise_spread_t bp_depthwise_spread_s8;

/* Output rows of the channels, 1 to 4 of them, from their planes, which may be one. Weights, 9 per
 * channel, biases, multipliers and shifts are ROM, of an op with the flag FAST. */
typedef struct {
    const uint8_t *planes; /* the first value that the first output takes */
    uint32_t plane_bytes;  /* from one channel's plane to the next */
    uint32_t row_bytes;    /* from one row of a plane to the next */
    uint8_t strides[2];    /* 1 or 2: rows, values */
    int8_t y_zp;
    uint8_t channels;
    int8_t *y;
    uint32_t y_step; /* from one output pixel to the next */
    uint32_t width;  /* outputs per row */
    uint32_t rows;
    const uint8_t *weights;
    uint32_t weight_step;  /* from one of a channel's weights to the next */
    uint32_t channel_step; /* from one channel's weights to the next one's */
    const uint8_t *bias;
    const uint8_t *mult_q31;
    const uint8_t *lshift;
} bp_depthwise_planes_t;
/* y = bp_requant_short(bias + sum of products), clamped to int8. Two values behind the last that is
 * needed may be read. */
typedef void bp_depthwise_outputs_t(const bp_depthwise_planes_t *p);
bp_depthwise_outputs_t bp_depthwise_outputs_s8;

/* ---- element-wise ops and averages ---- */

/* bp_add_s8 and bp_mul_s8 of n elements. */
typedef void bp_add_elements_t(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                               const bp_add_t *p);
typedef void bp_mul_elements_t(int8_t *y, const int8_t *x1, const int8_t *x2, uint32_t n,
                               const bp_mul_t *p);
bp_add_elements_t bp_add_elements_s8;
bp_mul_elements_t bp_mul_elements_s8;

/* Rows and columns of pixels that are reduced to one, and bytes from one to the next. */
typedef struct {
    uint32_t height;
    uint32_t width;
    uint32_t row_step;
    uint32_t step;
} bp_patch_t;
/* sums[c] = sum of the patch's pixels, for n <= BP_PATCH_CHANNELS neighbouring channels from x on. */
enum { BP_PATCH_CHANNELS = 16 };
typedef void bp_patch_sums_t(int32_t *sums, const int8_t *x, const bp_patch_t *patch, uint8_t n);
bp_patch_sums_t bp_patch_sums_s8;

/* A row of windows of a maximum pool, 2 x 2 pixels each. */
typedef struct {
    uint32_t channels;
    uint32_t windows;
    uint32_t step;     /* bytes from one window to the next */
    uint32_t row_step; /* from a window's first row to its second */
} bp_squares_t;
/* y[i][c] = the greatest of the 4 values of channel c of window i; places[i][c]: which of them it was,
 * row by row from 0 on, the first where several are. places may be NULL. */
typedef void bp_max_squares_t(int8_t *y, uint8_t *places, const int8_t *x, const bp_squares_t *s);
bp_max_squares_t bp_max_squares_s8;

/* ---- shared by the plain sums and products and by tuned ones ---- */

enum { BP_ADD_FRACTION_BITS = 20, BP_LEAST_SHORT_LSHIFT = -22 };

/* One input has the larger scale: its scaling is (x - x_zp) * 2^19, exactly. The other scaling and
 * the last one are short, lshift = -rshift. */
typedef struct {
    uint8_t halved; /* which input */
    int32_t factor; /* of it: 2^19 or -2^19 */
    int32_t offset; /* -factor * x_zp */
    int32_t x_zp;   /* of the other input */
    int32_t x_mult_q31;
    int32_t x_rounding;
    uint8_t x_rshift;
    int8_t x_sign;    /* 1 or -1 */
    int32_t mult_q31; /* of the sum */
    int32_t rounding; /* bp_short_rounding */
    uint8_t rshift;
} bp_add_short_t;

static inline bool bp_is_short(int8_t lshift) {
    return lshift >= BP_LEAST_SHORT_LSHIFT && lshift < 0;
}

static inline bool bp_add_halves(const bp_add_t *p, uint8_t input) {
    return p->mult_q31[input] == (int32_t)1 << 30 && p->lshift[input] == 0;
}

/* False for a sum that is none of these. */
static inline bool bp_add_as_short(bp_add_short_t *s, const bp_add_t *p) {
    const int32_t one = (int32_t)1 << (BP_ADD_FRACTION_BITS - 1);
    const uint8_t halved = bp_add_halves(p, 0) ? 0 : 1, other = (uint8_t)(1 - halved);
    const uint8_t x_rshift = (uint8_t)-p->lshift[other], rshift = (uint8_t)-p->lshift[2];
    if (!bp_add_halves(p, halved) || !bp_is_short(p->lshift[other]) || !bp_is_short(p->lshift[2])) {
        return false;
    }
    *s = (bp_add_short_t){
        .halved = halved,
        .factor = p->subtract && halved == 1 ? -one : one,
        .offset = p->x_zp[halved] * (p->subtract && halved == 1 ? one : -one),
        .x_zp = p->x_zp[other],
        .x_mult_q31 = p->mult_q31[other],
        .x_rounding = (int32_t)1 << (x_rshift - 1),
        .x_rshift = x_rshift,
        .x_sign = p->subtract && other == 1 ? -1 : 1,
        .mult_q31 = p->mult_q31[2],
        .rounding = bp_short_rounding(p->y_zp, rshift),
        .rshift = rshift,
    };
    return true;
}

/* ---- training; weights are RAM, in the planes wh (the inference weights) and wl (the residuals):
 * W = 256 * wh + wl ---- */

/* Rounding: r_i = upper bits of state + i * increment; increment 0 rounds to nearest. */
typedef struct {
    uint32_t state;
    uint32_t increment;
} bp_rounding_t;

/* What an update did to a row. */
typedef struct {
    int32_t weight_sum_change; /* of the wh plane */
    uint32_t saturated;        /* weights that reached their bounds */
} bp_row_change_t;

/* One row of the SGD step: W -= (c * (x - x_zp) + r) >> 16, 16 random bits. |c| <= 2^22. */
typedef bp_row_change_t bp_sgd_row_t(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp,
                                     uint16_t n, int32_t c, bp_rounding_t rounding);
bp_sgd_row_t bp_sgd_row_s16;

/* dx[i] = sum_j delta[j] * w[j][i] over n_out rows. The sum fits: for the least k with 511 * 2^k >=
 * n_out, |delta| <= 2^(15 - k), and 511 * 128 * 32768 < 2^31. */
typedef void bp_backward_t(int32_t *dx, const int32_t *delta, const int8_t *weights,
                           uint16_t row_stride, uint16_t n_in, uint16_t n_out);
bp_backward_t bp_dense_backward_s8;

/* A row of values anywhere in memory, and a factor of 16 bits. */
typedef struct {
    const int8_t *row;
    int32_t factor;
} bp_term_t;
enum { BP_TERMS = 32, BP_SUMMED_ROWS = 64 };

/* sums[i] += factor * row[i], modulo 2^32, for n values of at most BP_TERMS rows; a row NULL ends them. */
typedef void bp_weigh_rows_t(int32_t *sums, const bp_term_t *terms, uint32_t n);
bp_weigh_rows_t bp_weigh_rows_s8;
/* sums[i] += row[i], of at most BP_SUMMED_ROWS rows. */
typedef void bp_sum_rows_t(int32_t *sums, const int8_t *const *rows, uint32_t n);
bp_sum_rows_t bp_sum_rows_s8;

/* sums[3 * i + j] += factor * row[i * pitch + j], modulo 2^32, for i and j of 0 to 2: 3 x 3 values of each
 * term. */
typedef void bp_weigh_taps_t(int32_t *sums, const bp_term_t *terms, uint32_t pitch);
bp_weigh_taps_t bp_weigh_taps_s8;

/* ---- shared by the plain sums of rows and by what tuned ones leave over ---- */

/* Of one value of each row. */
static inline void bp_weigh_column(int32_t *sum, const bp_term_t *term, uint32_t at) {
    for (; term->row != NULL; ++term) {
        *sum = (int32_t)((uint32_t)*sum + (uint32_t)(term->factor * term->row[(size_t)at]));
    }
}

static inline void bp_sum_column(int32_t *sum, const int8_t *const *row, uint32_t at) {
    for (; *row != NULL; ++row) {
        *sum += (*row)[(size_t)at];
    }
}

/* ---- shared by the plain SGD step and by what tuned ones leave over ---- */

enum { BP_MASTER_MIN = -32640, BP_MASTER_MAX = 32639 };

/* W = clamp(w), split into its two planes. */
static inline void bp_store_master(int8_t *wh, int8_t *wl, int32_t w, bp_row_change_t *row) {
    int32_t bounded = bp_clamp(w, BP_MASTER_MIN, BP_MASTER_MAX);
    int8_t high = (int8_t)((bounded + 128) >> 8);
    row->saturated += bounded != w;
    row->weight_sum_change += high - *wh;
    *wh = high;
    *wl = (int8_t)(bounded - 256 * high);
}

/* n weights of a row; rounding: of the first of them. */
static inline void bp_sgd_part(int8_t *wh, int8_t *wl, const int8_t *x, int16_t x_zp, uint16_t n,
                               int32_t c, bp_rounding_t rounding, bp_row_change_t *row) {
    uint32_t r = rounding.state;
    for (uint16_t i = 0; i < n; ++i, r += rounding.increment) {
        int32_t u = (int32_t)x[i] - x_zp;
        if (u != 0) {
            int32_t change = (c * u + (int32_t)(r >> 16)) >> 16;
            bp_store_master(wh + i, wl + i, 256 * (int32_t)wh[i] + wl[i] - change, row);
        }
    }
}

#endif
