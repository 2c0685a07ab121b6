/* The loops of a bp_packed_conv_run_t, for the file of an instruction set, which defines before it
 * includes this:
 *
 *   PACKED_TARGET, PACKED_INLINE   how functions and helpers are declared
 *   vec_t, LANES                   a vector of int32
 *   word_t                         a vector of words of an image or of weights
 *   PIXELS                         in a block, 4 or 8: 2 sums for each are in registers
 *   PIXELS_IN_ROWS                 1: there are 8, and registers for 13 vectors more
 *   load_weights(w)                a vector of words of weights
 *   broadcast(x)                   a word of an image in every lane
 *   dot(sum, x, w)                 sum + products of a word's elements, added up
 *   add(a, b), load_sums(p), zero_sums()
 *   scaling_t, load_scaling(s, first)   the constants of a vector's channels
 *   put_results(y, step, n, width, a, b, c, d, s, t)
 *                 results of sums a, b, c, d. With s and t the same: of the first n of 4 pixels, whose
 *                 outputs are `step` bytes apart and have `width` channels or more. Else: of 2 pixels;
 *                 a and c are the first vector of channels, with s; b and d the second, with t
 *
 * Sums are variables and no array, because compilers keep arrays in memory. */
#ifndef BYTEPROP_ISA_PACKED_CONV_H
#define BYTEPROP_ISA_PACKED_CONV_H

#include "isa/packed.h"

enum { VECTOR_BYTES = 4 * LANES };

/* Results for the first `most` of n pixels. With one vector of channels, the even and the odd words
 * have a sum each: one alone would wait for itself. */
#define EACH_PIXEL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
PACKED_INLINE void put_block(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                             const uint8_t *w, uint32_t width, const bp_packed_conv_t *p,
                             const scaling_t *s, const scaling_t *t, uint32_t most,
                             uint32_t vectors) {
#define BEGIN(i)                                                                                   \
    vec_t a##i = s->bias, b##i = vectors == 1 ? zero_sums() : t->bias;                             \
    const uint8_t *const x##i = image + (i < most ? (size_t)pixels[i] : 0);
#define ADD(i)                                                                                     \
    if (i < most) {                                                                                \
        const word_t x = broadcast(x##i + at);                                                     \
        a##i = dot(a##i, x, first);                                                                \
        b##i = dot(b##i, vectors == 1 ? broadcast(x##i + next) : x, second);                       \
    }
#define ADD_LAST(i)                                                                                \
    if (i < most) {                                                                                \
        a##i = dot(a##i, broadcast(x##i + (size_t)*word), last);                                   \
    }
    EACH_PIXEL(BEGIN)
    const uint32_t *word = p->words, *const end = word + p->n_words;
    const uint32_t at_once = vectors == 1 ? 2 : 1;
    for (; (size_t)(end - word) >= at_once; word += at_once, w += 2 * VECTOR_BYTES) {
        const size_t at = word[0], next = word[at_once - 1];
        const word_t first = load_weights(w), second = load_weights(w + VECTOR_BYTES);
        (void)next;
        EACH_PIXEL(ADD)
    }
    if (vectors == 1 && word != end) {
        const word_t last = load_weights(w);
        EACH_PIXEL(ADD_LAST)
    }
#undef BEGIN
#undef ADD
#undef ADD_LAST
    const size_t step = p->y_step;
    if (vectors == 1) {
        put_results(y, step, n, width, add(a0, b0), add(a1, b1), add(a2, b2), add(a3, b3), s, s);
        if (most > 4 && n > 4) {
            put_results(y + 4 * step, step, n - 4, width, add(a4, b4), add(a5, b5), add(a6, b6),
                        add(a7, b7), s, s);
        }
        return;
    }
    put_results(y, step, n, width, a0, b0, a1, b1, s, t);
    if (most > 2 && n > 2) {
        put_results(y + 2 * step, step, n - 2, width, a2, b2, a3, b3, s, t);
    }
    if (most > 4 && n > 4) {
        put_results(y + 4 * step, step, n - 4, width, a4, b4, a5, b5, s, t);
    }
    if (most > 4 && n > 6) {
        put_results(y + 6 * step, step, n - 6, width, a6, b6, a7, b7, s, t);
    }
}

#if PIXELS_IN_ROWS
/* One vector of channels of 8 pixels in a row whose windows are 3 pixels wide: each of the 10 pixels
 * below is loaded once for the up to 3 windows that have it. */
PACKED_INLINE void put_row(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                           const uint8_t *w, uint32_t width, const bp_packed_conv_t *p,
                           const scaling_t *s, const scaling_t *t, uint32_t most,
                           uint32_t vectors) {
#define BEGIN(i) vec_t a##i = s->bias, b##i = zero_sums();
#define LOAD(i) const word_t x##i = broadcast(x + (size_t)i * pixel);
#define ADD(i, j, k)                                                                               \
    a##i = dot(a##i, x##i, first);                                                                 \
    b##i = dot(b##i, x##j, second);                                                                \
    a##i = dot(a##i, x##k, third);
    (void)most, (void)vectors;
    const size_t words = p->row_pixel, pixel = 4 * words, next = words * VECTOR_BYTES;
    EACH_PIXEL(BEGIN)
    for (const uint32_t *row = p->words, *end = row + p->n_words; row != end; row += 3 * words) {
        const uint8_t *x = image + (size_t)pixels[0] + (size_t)row[0];
        for (size_t word = words; word != 0; --word, x += 4, w += VECTOR_BYTES) {
            const word_t first = load_weights(w), second = load_weights(w + next);
            const word_t third = load_weights(w + 2 * next);
            EACH_PIXEL(LOAD)
            LOAD(8)
            LOAD(9)
            ADD(0, 1, 2)
            ADD(1, 2, 3)
            ADD(2, 3, 4)
            ADD(3, 4, 5)
            ADD(4, 5, 6)
            ADD(5, 6, 7)
            ADD(6, 7, 8)
            ADD(7, 8, 9)
        }
        w += 2 * next;
    }
#undef BEGIN
#undef LOAD
#undef ADD
    const size_t step = p->y_step;
    put_results(y, step, n, width, add(a0, b0), add(a1, b1), add(a2, b2), add(a3, b3), s, t);
    put_results(y + 4 * step, step, n - 4, width, add(a4, b4), add(a5, b5), add(a6, b6),
                add(a7, b7), s, t);
}

#else
#define put_row put_block
#endif
#undef EACH_PIXEL

static int are_in_row(const uint32_t *pixels, const bp_packed_conv_t *p) {
    return PIXELS_IN_ROWS && p->row_pixel != 0 &&
           pixels[PIXELS - 1] - pixels[0] == (PIXELS - 1) * 4 * p->row_pixel;
}

/* A panel's results for n pixels, `most` at a time. Each form is a function of its own, so that its
 * sums get all registers. */
typedef void put_pixels_t(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                          const uint8_t *w, uint32_t channel, const bp_packed_conv_t *p);
#define PUT_PIXELS(name, block, most, vectors)                                                     \
    static PACKED_TARGET __attribute__((noinline)) void name(                                      \
        int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n, const uint8_t *w,     \
        uint32_t channel, const bp_packed_conv_t *p) {                                             \
        const scaling_t s = load_scaling(&p->scaling, channel);                                    \
        const scaling_t t = vectors == 1 ? s : load_scaling(&p->scaling, channel + LANES);         \
        for (uint32_t done = 0; done < n; done += most) {                                          \
            block(y, image, pixels + done, n - done, w, p->channels - channel, p, &s,              \
                  vectors == 1 ? &s : &t, most, vectors);                                          \
            y += (size_t)most * p->y_step;                                                         \
        }                                                                                          \
    }
PUT_PIXELS(put_rows_1, put_row, PIXELS, 1)
PUT_PIXELS(put_all_1, put_block, PIXELS, 1)
PUT_PIXELS(put_half_1, put_block, PIXELS / 2, 1)
PUT_PIXELS(put_one_1, put_block, 1, 1)
PUT_PIXELS(put_all_2, put_block, PIXELS, 2)
PUT_PIXELS(put_half_2, put_block, PIXELS / 2, 2)
PUT_PIXELS(put_one_2, put_block, 1, 2)
#undef PUT_PIXELS

typedef struct {
    put_pixels_t *all, *rows, *half, *one;
} forms_t;

/* How many pixels from the first on have the same form, in whole blocks if there is more than half
 * of one. */
static uint32_t alike(const uint32_t *pixels, uint32_t n, const bp_packed_conv_t *p) {
    const uint32_t blocks = (n + PIXELS / 2 - 1) / PIXELS;
    const int in_row = are_in_row(pixels, p);
    uint32_t i = 1;
    while (i < blocks && are_in_row(pixels + (size_t)i * PIXELS, p) == in_row) {
        ++i;
    }
    return i * PIXELS < n ? i * PIXELS : n;
}

static PACKED_TARGET void put_panel(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                    uint32_t n, const uint8_t *w, uint32_t channel,
                                    const bp_packed_conv_t *p, const forms_t *forms) {
    while (n > PIXELS / 2) {
        const uint32_t done = alike(pixels, n, p);
        (are_in_row(pixels, p) ? forms->rows : forms->all)(y, image, pixels, done, w, channel, p);
        y += (size_t)done * p->y_step;
        pixels += done;
        n -= done;
    }
    if (n != 0) {
        (n > 1 ? forms->half : forms->one)(y, image, pixels, n, w, channel, p);
    }
}

static PACKED_TARGET void packed_conv(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                      uint32_t n, const bp_packed_conv_t *p) {
    static const forms_t one_vector = {put_all_1, put_rows_1, put_half_1, put_one_1};
    static const forms_t two_vectors = {put_all_2, put_all_2, put_half_2, put_one_2};
    const size_t vector = (size_t)p->n_words * VECTOR_BYTES;
    const uint8_t *w = p->weights;
    for (uint32_t channel = 0; channel < p->channels; channel += 2 * LANES, w += 2 * vector) {
        const forms_t *forms = p->channels - channel > LANES ? &two_vectors : &one_vector;
        put_panel(y + (size_t)channel, image, pixels, n, w, channel, p, forms);
    }
}

#endif
