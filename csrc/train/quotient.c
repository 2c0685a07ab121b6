#include "train/state.h"

/* floor(a / b), for 0 < b < 2^32: bit by bit, as a 64-bit division would need a library that not
 * every toolchain has for its CPU. */
uint64_t bp_train_quotient(uint64_t a, uint32_t b) {
    uint64_t q = 0, rest = 0;
    for (uint8_t bit = 0; bit < 64; ++bit) {
        rest = rest << 1 | a >> 63;
        a <<= 1;
        q <<= 1;
        if (rest >= b) {
            rest -= b;
            q |= 1;
        }
    }
    return q;
}
