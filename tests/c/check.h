/* What the C tests share. A test is a program: it ends with 0, or prints the first check that
 * failed and aborts. */
#ifndef BYTEPROP_CHECK_H
#define BYTEPROP_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(got, wanted)                                                                      \
    do {                                                                                           \
        long long got_ = (long long)(got), wanted_ = (long long)(wanted);                          \
        if (got_ != wanted_) {                                                                     \
            fprintf(stderr, "%s:%d: %s is %lld, wanted %lld\n", __FILE__, __LINE__, #got, got_,    \
                    wanted_);                                                                      \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Deterministic numbers (xorshift), so that a failure repeats. */
static inline uint32_t random_u32(void) {
    static uint32_t state = 0x9E3779B9u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static inline uint32_t random_below(uint32_t n) {
    return (uint32_t)(((uint64_t)random_u32() * n) >> 32);
}

static inline int32_t random_mult_q31(void) {
    return (int32_t)((random_u32() >> 2) | 0x40000000u);
}

/* A block of exactly n bytes, so that the sanitizer sees a read or write beyond it. */
static inline void *exact_bytes(size_t n) {
    void *block = malloc(n);
    CHECK(block != NULL || n == 0);
    return block;
}

/* The definition of requantisation, written with 64-bit divisions and no shift of a negative. */
static inline int64_t requant_by_definition(int64_t x, int64_t mult_q31, int lshift) {
    int64_t shifted = lshift > 0 ? (int32_t)(uint32_t)((uint64_t)x << lshift) : x;
    int64_t product = shifted * mult_q31;
    int64_t half = (int64_t)1 << 30;
    int64_t high = (product + (product >= 0 ? half : 1 - half)) / ((int64_t)1 << 31);
    int64_t divisor = (int64_t)1 << (lshift < 0 ? -lshift : 0);
    int64_t quotient = high / divisor;
    int64_t rest = high % divisor;
    if (2 * (rest < 0 ? -rest : rest) >= divisor) {
        quotient += high < 0 ? -1 : 1;
    }
    return quotient;
}

#endif
