#include "audio/parts.h"

/* From samples to features: the steps one after the other. */

enum {
    LOG_BITS = 12,  /* of the fraction of a logarithm */
    STEP_BITS = 9,  /* 2^12 / 8 steps per octave */
    WEIGHT_BITS = 8,
    LEAST = 12,     /* the octave of power below which there is no more difference */
    MOST = 255
};

int32_t bp_audio_logarithm(uint64_t x) {
    uint8_t octave = 0;
    uint32_t top = (uint32_t)(x >> 32);
    if (top != 0) {
        octave = 32;
    } else {
        top = (uint32_t)x;
    }
    for (; top > 1; top >>= 1) {
        ++octave;
    }
    const uint32_t mantissa =
        (uint32_t)(octave >= 15 ? x >> (octave - 15) : x << (15 - octave)) - 0x8000u;
    const uint16_t *step = bp_audio_log2 + (mantissa >> 10);
    const int32_t from = BP_TABLE_U16(step), to = BP_TABLE_U16(step + 1);
    return ((int32_t)octave << LOG_BITS) + from + (((to - from) * (int32_t)(mantissa & 1023)) >> 10);
}

/* shift: the true power is so many octaves above this one. */
static int8_t feature_of(uint64_t power, int8_t shift) {
    if (power == 0) {
        return BP_AUDIO_ZERO_POINT;
    }
    const int32_t octaves = shift - WEIGHT_BITS - LEAST;
    const int32_t above = bp_audio_logarithm(power) + octaves * ((int32_t)1 << LOG_BITS);
    const int32_t steps = (above + (1 << (STEP_BITS - 1))) >> STEP_BITS;
    return (int8_t)((steps < 0 ? 0 : (steps > MOST ? MOST : steps)) + BP_AUDIO_ZERO_POINT);
}

void bp_audio_window(int8_t features[BP_AUDIO_BANDS], const int16_t samples[BP_AUDIO_WINDOW],
                     int16_t work[BP_AUDIO_POINTS]) {
    const int8_t up = (int8_t)bp_audio_shape(work, samples);
    const int8_t down = (int8_t)bp_audio_transform(work);
    uint64_t power[BP_AUDIO_BANDS];
    bp_audio_mel(power, work);
    for (uint8_t i = 0; i < BP_AUDIO_BANDS; ++i) {
        features[i] = feature_of(power[i], (int8_t)(2 * (down - up)));
    }
}
