/* The loops of a bp_packed_conv_run_t, for the file of an instruction set, which defines before it
 * includes this:
 *
 *   PACKED_TARGET, PACKED_INLINE   how functions and helpers are declared
 *   vec_t, LANES                   a vector of int32
 *   word_t                         a vector of words of an image or of weights
 *   PIXELS                         in a block, 4 or 8: 2 sums for each are in registers
 *   PIXELS_IN_ROWS                 1: there are 8, and registers for 20 vectors
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

/* Results of one pixel. Four words have sums of their own, so that none waits for itself. */
#define EACH_WORD(DO) DO(0) DO(1) DO(2) DO(3)
PACKED_INLINE void put_pixel(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                             const uint8_t *w, uint32_t width, const bp_packed_conv_t *p,
                             const scaling_t *s, const scaling_t *t, uint32_t most,
                             uint32_t vectors) {
#define BEGIN(i) vec_t a##i = zero_sums(), b##i = zero_sums();
#define ADD(i)                                                                                     \
    {                                                                                              \
        const word_t x = broadcast(window + (size_t)word[i]);                                      \
        a##i = dot(a##i, x, load_weights(w));                                                      \
        if (vectors == 2) {                                                                        \
            b##i = dot(b##i, x, load_weights(w + VECTOR_BYTES));                                   \
        }                                                                                          \
        w += vectors * VECTOR_BYTES;                                                               \
    }
    (void)n, (void)most;
    const uint8_t *const window = image + (size_t)pixels[0];
    EACH_WORD(BEGIN)
    const uint32_t *word = p->words, *const end = word + p->n_words;
    for (; end - word >= 4; word += 4) {
        EACH_WORD(ADD)
    }
    for (; word != end; ++word) {
        ADD(0)
    }
#undef BEGIN
#undef ADD
    const vec_t a = add(add(add(a0, a1), add(a2, a3)), s->bias);
    const vec_t b = vectors == 1 ? a : add(add(add(b0, b1), add(b2, b3)), t->bias);
    put_results(y, 0, 1, width, a, b, a, b, s, t);
}
#undef EACH_WORD

#if PIXELS_IN_ROWS
/* One vector of channels of `most` pixels in a row, 8 or 16, whose windows are 3 pixels wide: each
 * pixel below is loaded once for the up to 3 windows that have it. i is its number, and that of the
 * window which begins there; the windows j and k began before. */
#define NEXT_6(DO) DO(2, 1, 0) DO(3, 2, 1) DO(4, 3, 2) DO(5, 4, 3) DO(6, 5, 4) DO(7, 6, 5)
#define LAST_8(DO)                                                                                 \
    DO(8, 7, 6)                                                                                    \
    DO(9, 8, 7)                                                                                    \
    DO(10, 9, 8)                                                                                   \
    DO(11, 10, 9)                                                                                  \
    DO(12, 11, 10)                                                                                 \
    DO(13, 12, 11)                                                                                 \
    DO(14, 13, 12)                                                                                 \
    DO(15, 14, 13)
PACKED_INLINE void put_row(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                           const uint8_t *w, uint32_t width, const bp_packed_conv_t *p,
                           const scaling_t *s, const scaling_t *t, uint32_t most,
                           uint32_t vectors) {
#define BEGIN(i, j, k) vec_t a##i = s->bias;
#define ADD(i, j, k)                                                                               \
    below = broadcast(x + (size_t)i * pixel);                                                      \
    a##i = dot(a##i, below, first);                                                                \
    a##j = dot(a##j, below, second);                                                               \
    a##k = dot(a##k, below, third);
#define ADD_LAST(i, j, k)                                                                          \
    below = broadcast(x + (size_t)(i + 1) * pixel);                                                \
    a##i = dot(a##i, below, second);                                                               \
    a##j = dot(a##j, below, third);                                                                \
    below = broadcast(x + (size_t)(i + 2) * pixel);                                                \
    a##i = dot(a##i, below, third);
    (void)n, (void)vectors;
    const size_t words = p->row_pixel, pixel = 4 * words, next = words * VECTOR_BYTES;
    vec_t a0 = s->bias, a1 = s->bias;
    NEXT_6(BEGIN)
    LAST_8(BEGIN)
    for (const uint32_t *row = p->words, *end = row + p->n_words; row != end; row += 3 * words) {
        const uint8_t *x = image + (size_t)pixels[0] + (size_t)row[0];
        for (size_t word = words; word != 0; --word, x += 4, w += VECTOR_BYTES) {
            const word_t first = load_weights(w), second = load_weights(w + next);
            const word_t third = load_weights(w + 2 * next);
            word_t below = broadcast(x);
            a0 = dot(a0, below, first);
            below = broadcast(x + pixel);
            a0 = dot(a0, below, second);
            a1 = dot(a1, below, first);
            NEXT_6(ADD)
            if (most == 8) {
                ADD_LAST(7, 6, 5)
            } else {
                LAST_8(ADD)
                ADD_LAST(15, 14, 13)
            }
        }
        w += 2 * next;
    }
#undef BEGIN
#undef ADD
#undef ADD_LAST
    const size_t step = p->y_step;
    put_results(y, step, 4, width, a0, a1, a2, a3, s, t);
    put_results(y + 4 * step, step, 4, width, a4, a5, a6, a7, s, t);
    if (most == 16) {
        put_results(y + 8 * step, step, 4, width, a8, a9, a10, a11, s, t);
        put_results(y + 12 * step, step, 4, width, a12, a13, a14, a15, s, t);
    }
}
#undef NEXT_6
#undef LAST_8

#else
#define put_row put_block
#endif
#undef EACH_PIXEL

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
PUT_PIXELS(put_long_rows_1, put_row, 2 * PIXELS, 1)
PUT_PIXELS(put_rows_1, put_row, PIXELS, 1)
PUT_PIXELS(put_all_1, put_block, PIXELS, 1)
PUT_PIXELS(put_half_1, put_block, PIXELS / 2, 1)
PUT_PIXELS(put_one_1, put_pixel, 1, 1)
PUT_PIXELS(put_all_2, put_block, PIXELS, 2)
PUT_PIXELS(put_half_2, put_block, PIXELS / 2, 2)
PUT_PIXELS(put_one_2, put_pixel, 1, 2)
#undef PUT_PIXELS

typedef struct {
    put_pixels_t *all, *rows, *long_rows, *half, *one;
} forms_t;

/* Pixels of the first block if it is 2 * PIXELS or PIXELS in a row, with a form for it; else 0. */
static uint32_t row_of(const uint32_t *pixels, uint32_t n, const bp_packed_conv_t *p,
                       const forms_t *forms) {
    const int has_form = forms->rows != forms->all && p->row_pixel != 0;
    for (uint32_t most = 2 * PIXELS; has_form && most >= PIXELS; most -= PIXELS) {
        if (n >= most && pixels[most - 1] - pixels[0] == (most - 1) * 4 * p->row_pixel) {
            return most;
        }
    }
    return 0;
}

static PACKED_TARGET void put_panel(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                    uint32_t n, const uint8_t *w, uint32_t channel,
                                    const bp_packed_conv_t *p, const forms_t *forms) {
    while (n > PIXELS / 2) {
        const uint32_t row = row_of(pixels, n, p, forms), block = row == 0 ? PIXELS : row;
        uint32_t done = block;
        while (n > done + PIXELS / 2 && row_of(pixels + done, n - done, p, forms) == row) {
            done += block;
        }
        done = done < n ? done : n;
        (row == 0 ? forms->all : row == PIXELS ? forms->rows : forms->long_rows)(
            y, image, pixels, done, w, channel, p);
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
    static const forms_t one_vector = {put_all_1, put_rows_1, put_long_rows_1, put_half_1, put_one_1};
    static const forms_t two_vectors = {put_all_2, put_all_2, put_all_2, put_half_2, put_one_2};
    const size_t vector = (size_t)p->n_words * VECTOR_BYTES;
    const uint8_t *w = p->weights;
    for (uint32_t channel = 0; channel < p->channels; channel += 2 * LANES, w += 2 * vector) {
        const forms_t *forms = p->channels - channel > LANES ? &two_vectors : &one_vector;
        put_panel(y + (size_t)channel, image, pixels, n, w, channel, p, forms);
    }
}

#endif
