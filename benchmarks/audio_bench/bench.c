/* Features of a sound in flash. Prints the ticks of the calibration, those of one window in the
 * middle of the sound, the number of windows, and the checksum of all features. */
#include <byteprop/audio.h>
#include <byteprop/crc32.h>

#include "bare.h"
#include "calibration.h"

/* Made by audio_bench.py. */
__asm__(".section .rodata\n"
        ".balign 4\n"
        "sound: .incbin \"sound.bin\"\n"
        ".previous\n");
extern const int16_t sound[SAMPLES];

static bp_audio_t audio;

static void print(uint32_t number) {
    bare_number(number);
    bare_text("\n");
}

int bare_main(void) {
    bare_ticks_start();
    calibration();
    print(bare_ticks());
    bp_audio_reset(&audio);
    uint32_t windows = 0, crc = 0;
    for (uint32_t taken = 0; taken < SAMPLES;) {
        int8_t features[BP_AUDIO_BANDS];
        bare_ticks_start();
        const uint32_t piece = SAMPLES - taken < 100 ? SAMPLES - taken : 100;
        taken += bp_audio_feed(&audio, sound + taken, piece);
        if (!bp_audio_is_full(&audio)) {
            continue;
        }
        bare_ticks_start();
        bp_audio_features(&audio, features);
        const uint32_t ticks = bare_ticks();
        if (windows == WINDOWS / 2) {
            print(ticks);
        }
        crc = bp_crc32(crc, (const uint8_t *)features, sizeof features);
        ++windows;
    }
    print(windows);
    print(crc);
    return 0;
}
