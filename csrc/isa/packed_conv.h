/* The loops of a bp_packed_conv_run_t, for the file of an instruction set, which defines before it
 * includes this:
 *
 *   PACKED_TARGET, PACKED_INLINE   how functions and helpers are declared
 *   vec_t, LANES                   a vector of int32
 *   PIXELS                         in a block, 4 or 8: 2 sums for each are in registers
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

/* Where the window of pixel i begins. What is missing is computed like the last one. */
PACKED_INLINE const uint8_t *window_of(const uint8_t *image, const uint32_t *pixels, uint32_t n,
                                       uint32_t i) {
    return image + (size_t)pixels[i < n ? i : n - 1];
}

/* A panel's results for n pixels, n <= most. With one vector of channels, the even and the odd words
 * have a sum each: one alone would wait for itself. */
#define EACH_PIXEL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
PACKED_INLINE void put_block(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                             const uint8_t *w, uint32_t channel, const bp_packed_conv_t *p,
                             uint32_t most, uint32_t vectors) {
#define BEGIN(i)                                                                                   \
    vec_t a##i = bias, b##i = bias_b;                                                              \
    const uint8_t *const x##i = i < most ? window_of(image, pixels, n, i) : image;
#define ADD(i)                                                                                     \
    if (i < most) {                                                                                \
        const vec_t x = broadcast(x##i + at);                                                      \
        a##i = dot(a##i, x, first);                                                                \
        b##i = dot(b##i, vectors == 1 ? broadcast(x##i + next) : x, second);                       \
    }
#define ADD_LAST(i)                                                                                \
    if (i < most) {                                                                                \
        a##i = dot(a##i, broadcast(x##i + (size_t)*word), last);                                   \
    }
    const vec_t bias = load_sums(p->scaling.bias + channel);
    const vec_t bias_b =
        vectors == 1 ? zero_sums() : load_sums(p->scaling.bias + channel + LANES);
    EACH_PIXEL(BEGIN)
    const uint32_t *word = p->words, *const end = word + p->n_words;
    const uint32_t at_once = vectors == 1 ? 2 : 1;
    for (; (size_t)(end - word) >= at_once; word += at_once, w += 2 * VECTOR_BYTES) {
        const size_t at = word[0], next = word[at_once - 1];
        const vec_t first = load_weights(w), second = load_weights(w + VECTOR_BYTES);
        (void)next;
        EACH_PIXEL(ADD)
    }
    if (vectors == 1 && word != end) {
        const vec_t last = load_weights(w);
        EACH_PIXEL(ADD_LAST)
    }
#undef BEGIN
#undef ADD
#undef ADD_LAST
    const scaling_t s = load_scaling(&p->scaling, channel);
    const uint32_t width = p->channels - channel;
    const size_t step = p->y_step;
    if (vectors == 1) {
        put_results(y, step, n, width, add(a0, b0), add(a1, b1), add(a2, b2), add(a3, b3), &s, &s);
        if (most > 4 && n > 4) {
            put_results(y + 4 * step, step, n - 4, width, add(a4, b4), add(a5, b5), add(a6, b6),
                        add(a7, b7), &s, &s);
        }
        return;
    }
    const scaling_t t = load_scaling(&p->scaling, channel + LANES);
    put_results(y, step, n, width, a0, b0, a1, b1, &s, &t);
    if (most > 2 && n > 2) {
        put_results(y + 2 * step, step, n - 2, width, a2, b2, a3, b3, &s, &t);
    }
    if (most > 4 && n > 4) {
        put_results(y + 4 * step, step, n - 4, width, a4, b4, a5, b5, &s, &t);
    }
    if (most > 4 && n > 6) {
        put_results(y + 6 * step, step, n - 6, width, a6, b6, a7, b7, &s, &t);
    }
}
#undef EACH_PIXEL

/* Each form is a function of its own, so that its sums get all registers. */
typedef void put_block_t(int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n,
                         const uint8_t *w, uint32_t channel, const bp_packed_conv_t *p);
#define PUT_BLOCK(name, most, vectors)                                                             \
    static PACKED_TARGET __attribute__((noinline)) void name(                                      \
        int8_t *y, const uint8_t *image, const uint32_t *pixels, uint32_t n, const uint8_t *w,     \
        uint32_t channel, const bp_packed_conv_t *p) {                                             \
        put_block(y, image, pixels, n, w, channel, p, most, vectors);                              \
    }
PUT_BLOCK(put_all_1, PIXELS, 1)
PUT_BLOCK(put_half_1, PIXELS / 2, 1)
PUT_BLOCK(put_one_1, 1, 1)
PUT_BLOCK(put_all_2, PIXELS, 2)
PUT_BLOCK(put_half_2, PIXELS / 2, 2)
PUT_BLOCK(put_one_2, 1, 2)
#undef PUT_BLOCK

static PACKED_TARGET void put_panel(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                    uint32_t n, const uint8_t *w, uint32_t channel,
                                    const bp_packed_conv_t *p, put_block_t *all, put_block_t *half,
                                    put_block_t *one) {
    while (n > PIXELS / 2) {
        const uint32_t done = n < PIXELS ? n : PIXELS;
        all(y, image, pixels, done, w, channel, p);
        y += (size_t)done * p->y_step;
        pixels += done;
        n -= done;
    }
    if (n > 1) {
        half(y, image, pixels, n, w, channel, p);
    } else if (n == 1) {
        one(y, image, pixels, n, w, channel, p);
    }
}

static PACKED_TARGET void packed_conv(int8_t *y, const uint8_t *image, const uint32_t *pixels,
                                      uint32_t n, const bp_packed_conv_t *p) {
    const size_t vector = (size_t)p->n_words * VECTOR_BYTES;
    const uint8_t *w = p->weights;
    for (uint32_t channel = 0; channel < p->channels; channel += 2 * LANES, w += 2 * vector) {
        if (p->channels - channel > LANES) {
            put_panel(y + (size_t)channel, image, pixels, n, w, channel, p, put_all_2, put_half_2,
                      put_one_2);
        } else {
            put_panel(y + (size_t)channel, image, pixels, n, w, channel, p, put_all_1, put_half_1,
                      put_one_1);
        }
    }
}

#endif
