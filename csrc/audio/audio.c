#include <byteprop/audio.h>
#include <stddef.h>

/* A stream of sound: the window that is being filled. */

void bp_audio_reset(bp_audio_t *audio) {
    audio->n = 0;
}

uint32_t bp_audio_feed(bp_audio_t *audio, const int16_t *samples, uint32_t n) {
    const uint32_t room = BP_AUDIO_WINDOW - (uint32_t)audio->n;
    const uint32_t taken = n < room ? n : room;
    for (uint32_t i = 0; i < taken; ++i) {
        audio->samples[audio->n++] = samples[(size_t)i];
    }
    return taken;
}

int bp_audio_is_full(const bp_audio_t *audio) {
    return audio->n == BP_AUDIO_WINDOW;
}

void bp_audio_features(bp_audio_t *audio, int8_t features[BP_AUDIO_BANDS]) {
    bp_audio_window(features, audio->samples, audio->work);
    audio->n = BP_AUDIO_WINDOW - BP_AUDIO_HOP;
    for (uint16_t i = 0; i < BP_AUDIO_WINDOW - BP_AUDIO_HOP; ++i) {
        audio->samples[i] = audio->samples[i + BP_AUDIO_HOP];
    }
}
