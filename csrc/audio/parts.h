/* The steps from a window of samples to features; docs/audio.md. Internal. */
#ifndef AUDIO_PARTS_H
#define AUDIO_PARTS_H

#include <byteprop/audio.h>
#include <byteprop/config.h>
#include <stdint.h>

enum {
    BP_AUDIO_PAIRS = BP_AUDIO_POINTS / 2, /* complex numbers in the transform */
    BP_AUDIO_FIRST_BIN = 4,               /* 125 Hz */
    BP_AUDIO_LAST_BIN = 240,              /* 7,500 Hz */
    BP_AUDIO_BINS = BP_AUDIO_LAST_BIN - BP_AUDIO_FIRST_BIN + 1,
    BP_AUDIO_WAVE = 3 * BP_AUDIO_POINTS / 4, /* of the sine that is in the table */
    BP_AUDIO_LOG_STEPS = 32
};

/* Tables, written by scripts/audio_tables.py. */
extern const uint16_t bp_audio_hann[BP_AUDIO_WINDOW / 2];           /* 2^15 * the first half */
extern const uint16_t bp_audio_sine[BP_AUDIO_WAVE];                 /* 2^14 * sin(2 pi i / 512) */
extern const uint8_t bp_audio_rise[BP_AUDIO_BINS];                  /* 2^8 * weight in its band */
extern const uint8_t bp_audio_edges[BP_AUDIO_BANDS + 2];            /* first bin from an edge on */
extern const uint16_t bp_audio_log2[BP_AUDIO_LOG_STEPS + 1];        /* 2^12 * log2(1 + i / 32) */

/* 2^14 * the sine and the cosine of i / 512 of a circle, i below 256. */
static inline int32_t bp_audio_sin(uint16_t i) {
    return (int16_t)BP_TABLE_U16(bp_audio_sine + i);
}
static inline int32_t bp_audio_cos(uint16_t i) {
    return (int16_t)BP_TABLE_U16(bp_audio_sine + i + BP_AUDIO_POINTS / 4);
}

/* The bits that values use apart from their sign: the OR of this over values is below 2^b if and only
 * if all of them are -2^b .. 2^b - 1. */
static inline uint32_t bp_audio_bits(int32_t x) {
    return (uint32_t)(x ^ (x >> 31));
}

/* Multiplies a window by Hann's, zeros after it, and returns by how many bits it was shifted to the
 * left to use all 16. */
uint8_t bp_audio_shape(int16_t work[BP_AUDIO_POINTS], const int16_t samples[BP_AUDIO_WINDOW]);
/* The transform of 256 complex numbers, in place; returns by how many bits it was shifted to the right. */
uint8_t bp_audio_transform(int16_t work[BP_AUDIO_POINTS]);
/* The power of a bin of the 512 real values whose transform this is. */
uint32_t bp_audio_power(const int16_t work[BP_AUDIO_POINTS], uint16_t bin);
/* Power in the bands, times 2^8. */
void bp_audio_mel(uint64_t power[BP_AUDIO_BANDS], const int16_t work[BP_AUDIO_POINTS]);
/* 2^12 * the binary logarithm of x > 0. */
int32_t bp_audio_logarithm(uint64_t x);

#endif
