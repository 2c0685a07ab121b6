#include "audio/parts.h"

/* A window is shifted to use 16 bits, and multiplied by Hann's window. */

enum { HALF = BP_AUDIO_WINDOW / 2, HANN_BITS = 15, SAMPLE_BITS = 15 };

/* 2^15 * Hann's window, which is symmetric. */
static int32_t hann(uint16_t i) {
    return BP_TABLE_U16(bp_audio_hann + (i < HALF ? i : BP_AUDIO_WINDOW - 1 - i));
}

/* How far all samples can be shifted to the left without leaving 16 bits. */
static uint8_t room_of(const int16_t samples[BP_AUDIO_WINDOW]) {
    uint32_t bits = 0;
    for (uint16_t i = 0; i < BP_AUDIO_WINDOW; ++i) {
        bits |= bp_audio_bits(samples[i]);
    }
    uint8_t room = SAMPLE_BITS;
    for (; bits != 0; bits >>= 1) {
        --room;
    }
    return room;
}

uint8_t bp_audio_shape(int16_t work[BP_AUDIO_POINTS], const int16_t samples[BP_AUDIO_WINDOW]) {
    const uint8_t room = room_of(samples);
    const int32_t factor = (int32_t)1 << room;
    for (uint16_t i = 0; i < BP_AUDIO_WINDOW; ++i) {
        /* At most 2^15 * (2^15 - 1), so the sum is below 2^30. */
        const int32_t x = samples[i] * factor * hann(i);
        work[i] = (int16_t)((x + (1 << (HANN_BITS - 1))) >> HANN_BITS);
    }
    for (uint16_t i = BP_AUDIO_WINDOW; i < BP_AUDIO_POINTS; ++i) {
        work[i] = 0;
    }
    return room;
}
