/* What a network hears: from samples of sound to features, in integers. docs/audio.md has the
 * equations, and the bounds of every step.
 *
 * 16,000 samples of 16 bits per second. A window has 480 of them (30 ms), and begins 320 (20 ms) after
 * the one before it. Of each window there are 32 values of int8: the binary logarithm of the power in
 * bands of a mel scale from 125 to 7,500 Hz, in eighths, minus 128. As the input of a model: scale 1/8,
 * zero point -128. */
#ifndef BYTEPROP_AUDIO_H
#define BYTEPROP_AUDIO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
enum {
    BP_AUDIO_RATE = 16000,
    BP_AUDIO_WINDOW = 480,
    BP_AUDIO_HOP = 320,
    BP_AUDIO_BANDS = 32,
    BP_AUDIO_POINTS = 512,
    BP_AUDIO_ZERO_POINT = -128,
    BP_AUDIO_STEPS_PER_OCTAVE = 8 /* of power; 1 over the scale */
};

/* A stream of sound: plain memory, 1,986 bytes. */
typedef struct {
    int16_t samples[BP_AUDIO_WINDOW]; /* of the window that is being filled */
    uint16_t n;                       /* so many are there */
    int16_t work[BP_AUDIO_POINTS];    /* nothing between two calls */
} bp_audio_t;

/* Begins, as if nothing had been heard. */
void bp_audio_reset(bp_audio_t *audio);
/* Takes samples until the window is full, and returns how many it took: less than n if there are more
 * than that. */
uint32_t bp_audio_feed(bp_audio_t *audio, const int16_t *samples, uint32_t n);
/* Whether the window is full, so that bp_audio_features is next. */
int bp_audio_is_full(const bp_audio_t *audio);
/* The features of a full window. What the next window shares with it stays. */
void bp_audio_features(bp_audio_t *audio, int8_t features[BP_AUDIO_BANDS]);

/* The features of a window without a stream. work may be any memory of BP_AUDIO_POINTS values, such as
 * a part of the arena that no inference uses at the time. */
void bp_audio_window(int8_t features[BP_AUDIO_BANDS], const int16_t samples[BP_AUDIO_WINDOW],
                     int16_t work[BP_AUDIO_POINTS]);
/* cdef: end */

#ifdef __cplusplus
}
#endif
#endif
