/* Two slots in flash that take turns: a save goes to the one that does not contain the last
 * whole save, and counts from the moment its first word is written, which is the last to be
 * written. A power cut at any moment leaves the old save or the new one.
 *
 * A slot:  0 mark u32 | 4 sequence u32 | 8 image bytes u32 | 12 state bytes u32 | 16 configuration,
 * 18 bytes | 34 detector bytes u16 | 36 crc u32, over 4 .. 35 and what follows | 40 image, padded to
 * 4 | state, padded to 4 | detector. */
#ifndef BYTEPROP_APP_SAVE_SLOTS_H
#define BYTEPROP_APP_SAVE_SLOTS_H

#include <stdint.h>

#ifndef BP_SAVE_SLOT_BYTES
#define BP_SAVE_SLOT_BYTES 0
#endif

enum { APP_SLOT_CONFIG_WORDS = 5, APP_SLOT_HEADER_BYTES = 40 };

typedef struct {
    uint32_t sequence;
    uint32_t image_bytes;
    uint32_t state_bytes;
    uint32_t config[APP_SLOT_CONFIG_WORDS]; /* upper half of the last: detector bytes */
    uint32_t crc;
    uint8_t slot;
} app_save_slot_t;

/* The last whole save; 0 when there is none. */
int app_slots_newest(app_save_slot_t *found);
uint32_t app_slots_detector_bytes(const app_save_slot_t *save);
/* Bytes of a slot that image and state take, and where the detector begins. */
uint32_t app_slots_needed(uint32_t image_bytes, uint32_t state_bytes);
/* Bytes of a slot that a save takes, whose sizes and config are set. */
uint32_t app_slots_total(const app_save_slot_t *save);
/* Saves; the sizes and config are set, the rest is filled in. image, state, detector: 4-byte
 * aligned. 0 when what was written does not read back. */
int app_slots_save(app_save_slot_t *saved, const uint8_t *image, const uint8_t *state,
                   const uint8_t *detector);
/* Copies n bytes from an offset of the slot (a multiple of 4). */
void app_slots_read(uint8_t *to, uint8_t slot, uint32_t offset, uint32_t n);
/* For tests: resets the board before the n-th flash operation from now on. */
void app_slots_cut(uint32_t n);

#endif
