#include "isa/primitives.h"
#include <stddef.h>

/* The places cost a few instructions each: whoever needs none of them does not pay. */
static inline void put_window(int8_t *y, uint8_t *places, const int8_t *x, const bp_squares_t *s) {
    const uint32_t n = s->channels;
    const int8_t *right = x + (size_t)n, *below = x + (size_t)s->row_step;
    const int8_t *last = below + (size_t)n;
    for (size_t c = 0; c < n; ++c) {
        int32_t best = x[c], next = right[c];
        uint32_t place = 0;
        if (next > best) {
            best = next;
            place = 1;
        }
        next = below[c];
        if (next > best) {
            best = next;
            place = 2;
        }
        next = last[c];
        if (next > best) {
            best = next;
            place = 3;
        }
        y[c] = (int8_t)best;
        if (places != NULL) {
            places[c] = (uint8_t)place;
        }
    }
}

void bp_max_squares_s8(int8_t *y, uint8_t *places, const int8_t *x, const bp_squares_t *s) {
    for (uint32_t left = s->windows; left != 0; --left, x += (size_t)s->step) {
        put_window(y, places, x, s);
        y += s->channels;
        places = places == NULL ? NULL : places + s->channels;
    }
}
