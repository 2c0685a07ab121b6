/* bp_max_squares_s8 for Cortex-M4, M7 and other Thumb-2 cores with the DSP extension: 4 channels at a
 * time. SSUB8 compares 4 bytes, SEL takes the greater ones and where they were. */
#include "isa/isa.h"
#include <stddef.h>

#ifdef BP_ISA_ARMV7EM

#define S(instruction) instruction "\n\t"
/* The greater of `best` and the next tap; `place`: of the greater. */
#define COMPARE(next)                                                                              \
    S("ssub8 %[t], %[best], %[" next "]")                                                          \
    S("sel %[best], %[best], %[" next "]")
#define TAPS                                                                                       \
    S("ldr %[best], [%[x]]")                                                                       \
    S("ldr %[other], [%[x], %[n]]")

static inline uint32_t greatest(const int8_t *x, const int8_t *below, uint32_t n) {
    uint32_t best, other, t;
    __asm__ volatile(TAPS COMPARE("other") S("ldr %[other], [%[below]]") COMPARE("other")
                         S("ldr %[other], [%[below], %[n]]") COMPARE("other")
                     : [best] "=&r"(best), [other] "=&r"(other), [t] "=&r"(t)
                     : [x] "r"(x), [below] "r"(below), [n] "r"(n)
                     : "memory");
    return best;
}

static inline uint32_t greatest_and_place(uint32_t *places, const int8_t *x, const int8_t *below,
                                          uint32_t n) {
    uint32_t best, other, t, place = 0;
    __asm__ volatile(TAPS COMPARE("other") S("sel %[place], %[place], %[one]")
                         S("ldr %[other], [%[below]]") COMPARE("other")
                             S("sel %[place], %[place], %[two]")
                                 S("ldr %[other], [%[below], %[n]]") COMPARE("other")
                                     S("sel %[place], %[place], %[three]")
                     : [best] "=&r"(best), [other] "=&r"(other), [t] "=&r"(t), [place] "+&r"(place)
                     : [x] "r"(x), [below] "r"(below), [n] "r"(n), [one] "r"(0x01010101),
                       [two] "r"(0x02020202), [three] "r"(0x03030303)
                     : "memory");
    *places = place;
    return best;
}

static inline void put_word(void *to, uint32_t word) {
    __asm__ volatile("str %1, [%0]" : : "r"(to), "r"(word) : "memory"); /* any alignment */
}

void bp_max_squares_s8_armv7em(int8_t *y, uint8_t *places, const int8_t *x, const bp_squares_t *s) {
    const uint32_t n = s->channels, row_step = s->row_step;
    if (n % 4 != 0) {
        bp_max_squares_s8(y, places, x, s);
        return;
    }
    for (uint32_t left = s->windows; left != 0; --left, x += s->step) {
        for (const int8_t *at = x, *end = x + n; at != end; at += 4, y += 4) {
            if (places == NULL) {
                put_word(y, greatest(at, at + row_step, n));
            } else {
                uint32_t place;
                put_word(y, greatest_and_place(&place, at, at + row_step, n));
                put_word(places, place);
                places += 4;
            }
        }
    }
}
#endif
