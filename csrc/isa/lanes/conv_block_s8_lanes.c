/* bp_conv_block_s8 in plain C, for CPUs with many registers. lanes.h has the arithmetic. */
#include "isa/isa.h"
#include <byteprop/config.h>

#ifdef BP_ISA_LANES

#include "isa/lanes/lanes.h"

enum { CHANNELS = 2 };

/* What follows is not moved in front of it: gcc would load more than it has registers for. */
#ifdef __GNUC__
#define LOADS_END_HERE __asm__ volatile("" : : : "memory")
#else
#define LOADS_END_HERE ((void)0)
#endif

/* Sums of two pixels in one channel: of both lanes, and of the upper one. */
typedef struct {
    uint32_t both;
    int32_t upper;
} sums_t;

/* Adds the products of two neighbours of a column. */
static inline void add_products(sums_t *sums, const int32_t *column, int32_t weight,
                                int32_t next_weight) {
    const int32_t s = weight * column[0] + next_weight * column[BP_LANES_WORDS] + BP_LANES_OFFSET;
    sums->both += (uint32_t)s;
    sums->upper += s >> 16;
}

/* And of two channels and 4 pixels. */
static inline void add_block(sums_t *s0, sums_t *s1, sums_t *s2, sums_t *s3, const int32_t *column,
                             const uint8_t *w, const uint8_t *v) {
    const int32_t w0 = BP_ROM_I8(w), w1 = BP_ROM_I8(w + 1);
    const int32_t v0 = BP_ROM_I8(v), v1 = BP_ROM_I8(v + 1);
    add_products(s0, column, w0, w1);
    add_products(s1, column + 1, w0, w1);
    add_products(s2, column, v0, v1);
    add_products(s3, column + 1, v0, v1);
}

typedef struct {
    int32_t mult_q31;
    int32_t rounding;
    int32_t y_min;
    int32_t y_max;
    uint8_t rshift;
} output_t;

static inline void put(int8_t *y, int32_t sum, const output_t *o) {
    const int32_t scaled = bp_requant_short(sum, o->mult_q31, o->rounding, o->rshift);
    *(uint8_t *)y = (uint8_t)bp_clamp(scaled, o->y_min, o->y_max);
}

static inline int32_t lower(sums_t s) {
    return (int32_t)(s.both - ((uint32_t)s.upper << 16));
}

/* A channel of 4 pixels. */
static void finish(int8_t *y, int32_t y_step, sums_t a, sums_t b, const bp_dense_s8_t *p,
                   uint32_t channel) {
    const int32_t bias = BP_ROM_I32(p->bias + (size_t)(4 * channel));
    const uint8_t rshift = (uint8_t)-BP_ROM_I8(p->lshift + (size_t)channel);
    const output_t o = {
        .mult_q31 = BP_ROM_I32(p->mult_q31 + (size_t)(4 * channel)),
        .rounding = bp_short_rounding(p->y_zp, rshift),
        .y_min = p->y_min,
        .y_max = p->y_max,
        .rshift = rshift,
    };
    y += channel;
    put(y, bp_add_wrap(bias, lower(a)), &o);
    y += y_step;
    put(y, bias + a.upper, &o);
    y += y_step;
    put(y, bp_add_wrap(bias, lower(b)), &o);
    y += y_step;
    put(y, bias + b.upper, &o);
}

void bp_conv_block_s8_lanes(int8_t *y, int32_t y_step, const int8_t *columns,
                            const bp_dense_s8_t *p) {
    const sums_t begin = {(uint32_t)bp_lanes_begin(p->row_stride), 0};
    for (uint32_t j = 0; j < p->n_out; j += CHANNELS) {
        const uint32_t next = j + 1 < p->n_out ? j + 1 : j; /* a last channel alone comes twice */
        const uint8_t *w = p->weights + (size_t)(j * p->row_stride), *end = w + p->row_stride;
        const uint8_t *v = p->weights + (size_t)(next * p->row_stride);
        const int32_t *column = (const int32_t *)(const void *)columns;
        sums_t s0 = begin, s1 = begin, s2 = begin, s3 = begin;
        for (; w != end; w += 4, v += 4, column += 4 * BP_LANES_WORDS) {
            add_block(&s0, &s1, &s2, &s3, column, w, v);
            LOADS_END_HERE;
            add_block(&s0, &s1, &s2, &s3, column + 2 * BP_LANES_WORDS, w + 2, v + 2);
        }
        finish(y, y_step, s0, s1, p, j);
        finish(y, y_step, s2, s3, p, next);
    }
}
#endif
