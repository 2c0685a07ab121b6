#include "save_slots.h"

#include <byteprop/crc32.h>
#include <byteprop/port.h>

#if BP_SAVE_SLOT_BYTES > 0

#define MARK 0x53505942u /* "BYPS" */
#define N_SLOTS 2u
/* Offsets in a slot. */
enum { MARK_AT = 0, SEQUENCE_AT = 4, IMAGE_BYTES_AT = 8, STATE_BYTES_AT = 12, CONFIG_AT = 16 };
enum { CRC_AT = 36 };

#ifndef BP_APP_TEST_FAULTS
#define BP_APP_TEST_FAULTS 0
#endif

#if BP_APP_TEST_FAULTS
static uint32_t cut_before;

void app_slots_cut(uint32_t n) {
    cut_before = n;
}

static void count_operation(void) {
    if (cut_before != 0 && --cut_before == 0) {
        bp_port_reset();
    }
}
#else
static void count_operation(void) {}
#endif

static void write_word(uint8_t slot, uint32_t offset, uint32_t word) {
    count_operation();
    bp_port_flash_write(slot, offset, word);
}

static void erase(uint8_t slot, uint32_t n) {
    for (uint32_t offset = 0; offset < n; offset += BP_FLASH_PAGE_BYTES) {
        count_operation();
        bp_port_flash_erase(slot, offset);
    }
}

static uint32_t padded(uint32_t n) {
    return (n + 3u) & ~(uint32_t)3u;
}

uint32_t app_slots_needed(uint32_t image_bytes, uint32_t state_bytes) {
    return APP_SLOT_HEADER_BYTES + padded(image_bytes) + padded(state_bytes);
}

uint32_t app_slots_detector_bytes(const app_save_slot_t *save) {
    return save->config[APP_SLOT_CONFIG_WORDS - 1] >> 16;
}

uint32_t app_slots_total(const app_save_slot_t *save) {
    return app_slots_needed(save->image_bytes, save->state_bytes) +
           padded(app_slots_detector_bytes(save));
}

/* Little-endian whatever the machine is. */
static uint32_t crc_of_word(uint32_t crc, uint32_t word) {
    uint8_t bytes[4];
    for (uint8_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(word >> (8 * i));
    }
    return bp_crc32(crc, bytes, sizeof bytes);
}

static uint32_t crc_of_slot(uint8_t slot, uint32_t n) {
    uint32_t crc = 0;
    for (uint32_t offset = SEQUENCE_AT; offset < n; offset += 4) {
        if (offset != CRC_AT) {
            crc = crc_of_word(crc, bp_port_flash_read(slot, offset));
        }
    }
    return crc;
}

/* Whether the slot holds a whole save. Its lengths are checked before they are used. */
static int read_slot(app_save_slot_t *found, uint8_t slot) {
    found->slot = slot;
    found->sequence = bp_port_flash_read(slot, SEQUENCE_AT);
    found->image_bytes = bp_port_flash_read(slot, IMAGE_BYTES_AT);
    found->state_bytes = bp_port_flash_read(slot, STATE_BYTES_AT);
    found->crc = bp_port_flash_read(slot, CRC_AT);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        found->config[i] = bp_port_flash_read(slot, CONFIG_AT + (uint32_t)4 * i);
    }
    const uint32_t most = (uint32_t)BP_SAVE_SLOT_BYTES - APP_SLOT_HEADER_BYTES;
    if (bp_port_flash_read(slot, MARK_AT) != MARK || found->image_bytes > most ||
        found->state_bytes > most ||
        app_slots_total(found) > BP_SAVE_SLOT_BYTES) {
        return 0;
    }
    return crc_of_slot(slot, app_slots_total(found)) == found->crc;
}

int app_slots_newest(app_save_slot_t *found) {
    app_save_slot_t slot[N_SLOTS];
    const int first = read_slot(&slot[0], 0);
    const int second = read_slot(&slot[1], 1);
    if (!first && !second) {
        return 0;
    }
    const int later = (int32_t)(slot[1].sequence - slot[0].sequence) > 0;
    *found = slot[second && (!first || later)];
    return 1;
}

/* The next word of n bytes; those behind the end are 0. */
static uint32_t word_of(const uint8_t *bytes, uint32_t n) {
    uint32_t word = 0;
    for (uint8_t i = 0; i < 4 && i < n; i++) {
        word |= (uint32_t)bytes[i] << (8 * i);
    }
    return word;
}

static uint32_t write_bytes(uint8_t slot, uint32_t offset, const uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 4) {
        write_word(slot, offset + i, word_of(bytes + i, n - i));
    }
    return offset + padded(n);
}

static uint32_t crc_of_bytes(uint32_t crc, const uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 4) {
        crc = crc_of_word(crc, word_of(bytes + i, n - i));
    }
    return crc;
}

static uint32_t crc_of_save(const app_save_slot_t *save, const uint8_t *image,
                            const uint8_t *state, const uint8_t *detector) {
    uint32_t crc = crc_of_word(0, save->sequence);
    crc = crc_of_word(crc, save->image_bytes);
    crc = crc_of_word(crc, save->state_bytes);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        crc = crc_of_word(crc, save->config[i]);
    }
    crc = crc_of_bytes(crc, image, save->image_bytes);
    crc = crc_of_bytes(crc, state, save->state_bytes);
    return crc_of_bytes(crc, detector, app_slots_detector_bytes(save));
}

static void write_header(const app_save_slot_t *save) {
    write_word(save->slot, SEQUENCE_AT, save->sequence);
    write_word(save->slot, IMAGE_BYTES_AT, save->image_bytes);
    write_word(save->slot, STATE_BYTES_AT, save->state_bytes);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        write_word(save->slot, CONFIG_AT + (uint32_t)4 * i, save->config[i]);
    }
    write_word(save->slot, CRC_AT, save->crc);
    write_word(save->slot, MARK_AT, MARK);
}

int app_slots_save(app_save_slot_t *saved, const uint8_t *image, const uint8_t *state,
                   const uint8_t *detector) {
    app_save_slot_t last;
    saved->slot = 0;
    saved->sequence = 1;
    if (app_slots_newest(&last)) {
        saved->slot = last.slot ^ 1u;
        saved->sequence = last.sequence + 1u;
    }
    saved->crc = crc_of_save(saved, image, state, detector);
    erase(saved->slot, app_slots_total(saved));
    uint32_t offset = write_bytes(saved->slot, APP_SLOT_HEADER_BYTES, image, saved->image_bytes);
    offset = write_bytes(saved->slot, offset, state, saved->state_bytes);
    (void)write_bytes(saved->slot, offset, detector, app_slots_detector_bytes(saved));
    write_header(saved);
    return read_slot(&last, saved->slot) && last.crc == saved->crc;
}

void app_slots_read(uint8_t *to, uint8_t slot, uint32_t offset, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t at = offset + i;
        to[i] = (uint8_t)(bp_port_flash_read(slot, at & ~(uint32_t)3u) >> (8u * (at & 3u)));
    }
}

#else
typedef int app_slots_are_not_there;
#endif
