#include "audio/parts.h"

/* Power in triangular bands. Each bin belongs to two of them, by weights whose sum is 2^8: it rises
 * in one, and falls in the one before. */

enum { WEIGHT_BITS = 8 };

/* Of the bins between two edges. */
typedef struct {
    uint64_t all, rising; /* power times 2^8, and times its weight in the band that rises */
} part_t;

/* Products and sums of halves of 16 bits, as a CPU without long multiplication has them: at most
 * 18 bins are between two edges, so sums are below 2^16 * 2^8 * 18 < 2^32. */
static part_t between(const int16_t work[BP_AUDIO_POINTS], uint8_t bin, uint8_t end) {
    uint32_t all_low = 0, all_high = 0, low = 0, high = 0;
    for (; bin < end; ++bin) {
        const uint32_t power = bp_audio_power(work, bin);
        const uint32_t weight = BP_TABLE_U8(bp_audio_rise + (bin - BP_AUDIO_FIRST_BIN));
        all_low += power & 0xFFFF;
        all_high += power >> 16;
        low += (power & 0xFFFF) * weight;
        high += (power >> 16) * weight;
    }
    const part_t part = {(((uint64_t)all_high << 16) + all_low) << WEIGHT_BITS,
                         ((uint64_t)high << 16) + low};
    return part;
}

void bp_audio_mel(uint64_t power[BP_AUDIO_BANDS], const int16_t work[BP_AUDIO_POINTS]) {
    const uint8_t *edge = bp_audio_edges;
    uint64_t rising = 0;
    for (uint8_t i = 0; i <= BP_AUDIO_BANDS; ++i, ++edge) {
        const part_t part = between(work, BP_TABLE_U8(edge), BP_TABLE_U8(edge + 1));
        if (i != 0) {
            power[i - 1] = rising + (part.all - part.rising);
        }
        rising = part.rising;
    }
}
