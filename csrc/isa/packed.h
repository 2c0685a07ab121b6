/* Whole convolutions for CPUs with memory to spare, internal to csrc. Like primitives.h, but of
 * hosts alone, chosen when they run; bp_conv_s8 and bp_depthwise_s8 are their definitions, and a CPU
 * that has none of these runs those. csrc/prepared does the rest: it packs the weights, widens the
 * input into an image of its own with padding around it, and says where the pixels are.
 *
 * Sums are exact modulo 2^32 in any order. Of a packed channel, every sum with its bias is below 2^28
 * in magnitude, and the shift is one to the right, of 1 to 22 bits: so
 *   y = clamp((((sum * mult_q31 + 2^30) >> 31) + (sum >> 31) + rounding) >> rshift),
 * rounding = (2 * y_zp + 1) << (rshift - 1). docs/numerics.md derives it.
 *
 * Constants of channels are filled up to the lanes of all vectors. The image may be read up to
 * BP_PACKED_SLACK bytes beyond what a window takes, and no byte but those of the result is written. */
#ifndef BYTEPROP_ISA_PACKED_H
#define BYTEPROP_ISA_PACKED_H

#include <stdint.h>

enum { BP_PACKED_SLACK = 64 };
/* Channels in a panel of weights: so many vectors, one in the last panel where one is enough. */
enum { BP_PACKED_PANEL = 2 };

typedef struct {
    const int32_t *bias; /* and sum_offset; if images are unsigned, less 128 times the sum of the weights */
    const int32_t *mult_q31;
    const int32_t *rshift;
    const int32_t *rounding;
    int8_t y_min;
    int8_t y_max;
} bp_packed_scaling_t;

/* Of one group. A pixel's window is cut into words of 4 bytes of the image. weights: int8, or int16
 * where elements of the image have 2 bytes, [panel][word][vector of the panel][lane][elements of a
 * word]; 0 where there is no input or no channel. */
typedef struct {
    const uint8_t *weights;
    const uint32_t *words; /* where they begin, from where the window does; in bytes */
    uint32_t n_words;
    uint32_t row_pixel; /* if windows are 3 neighbouring pixels wide and 1 apart: words of a pixel; else 0 */
    uint32_t channels;
    uint32_t y_step; /* from one pixel of y to the next */
    bp_packed_scaling_t scaling;
} bp_packed_conv_t;

/* n pixels, from where their windows begin in the image: pixels[i], in bytes, ascending. There are
 * pixels up to a multiple of BP_PACKED_PIXELS, with repetitions of the last one. */
enum { BP_PACKED_PIXELS = 8 };
typedef void bp_packed_conv_run_t(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                  uint32_t n, const bp_packed_conv_t *p);

/* Rows of outputs, as if they had one axis of pixels and channels. Group g of lanes takes the outputs
 * g * lanes + i * y_step of a row for i = 0, 1, .. and the inputs g * lanes + i * x_step, with the
 * weights and constants of group g. weights: int8 [group][row of taps][quad][lane][4], 0 where a
 * quad has no tap; a quad is 4 taps of a row. */
typedef struct {
    const uint8_t *weights;
    uint32_t groups;
    uint32_t lanes_end; /* outputs of an iteration i: lanes beyond it are none */
    uint32_t x_step;
    uint32_t y_step;
    uint32_t y_row;   /* outputs of a row */
    uint32_t y_rows;
    uint32_t x_pitch; /* bytes from one row of the image to the next */
    uint32_t x_tap;   /* from one tap to the next */
    uint16_t kernel[2]; /* taps: rows, columns */
    uint16_t stride;    /* of rows */
    uint16_t dilation;
    bp_packed_scaling_t scaling;
} bp_packed_depthwise_t;

typedef void bp_packed_depthwise_run_t(int8_t *y, const uint8_t *image,
                                       const bp_packed_depthwise_t *p);

/* to[i] = x[i] as an element of an image: an int8 or unsigned x + 128 in a byte, or an int16. */
typedef void bp_packed_widen_t(uint8_t *to, const int8_t *x, uint32_t n);

/* What a CPU has. */
typedef struct {
    uint8_t lanes;       /* int32 in a vector */
    uint8_t conv_bytes;  /* of an element of a convolution's image: 1 or 2 */
    uint8_t is_unsigned; /* elements of a byte are x + 128 */
    int32_t sum_offset;  /* 2^28 where multiplications of numbers without a sign are shorter, or 0 */
    bp_packed_widen_t *conv_widen;
    bp_packed_conv_run_t *conv;
    bp_packed_widen_t *depthwise_widen; /* elements have a byte */
    bp_packed_depthwise_run_t *depthwise;
} bp_packed_isa_t;

#endif
