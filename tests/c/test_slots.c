/* Saving to flash, with the power cut at every single operation, on flash that is simulated by the
 * rules of NOR flash: erasing sets a page to ones, writing only clears bits, and what a cut
 * interrupts is done in part. Whatever happens, the last whole save is found, bit for bit. */
#define BP_SAVE_SLOT_BYTES 256
#define BP_FLASH_PAGE_BYTES 64
#include "app/save_slots.c" /* the flash's sizes are the program's */

#include <byteprop/port.h>
#include <setjmp.h>
#include <string.h>

#include "check.h"

enum { SLOT_WORDS = BP_SAVE_SLOT_BYTES / 4, PAGE_WORDS = BP_FLASH_PAGE_BYTES / 4 };
enum { IMAGE_BYTES = 61, STATE_BYTES = 95, DETECTOR_BYTES = 24, N_MODES = 4 };

#define BYTES_OF_A_SAVE (app_slots_needed(IMAGE_BYTES, STATE_BYTES) + DETECTOR_BYTES)

static uint32_t flash[2][SLOT_WORDS];
static uint32_t left;  /* operations until the power is cut; 0: never */
static int cut_mode;   /* how much of the interrupted operation is done */
static uint32_t noise; /* which bits a cut write had cleared, which words a cut erase had erased */
static jmp_buf power_off;

static uint32_t next_noise(void) {
    noise = noise * 1664525u + 1013904223u;
    return noise ^ noise >> 15;
}

static int is_cut(void) {
    return left != 0 && --left == 0;
}

/* Of what an operation changes: nothing, half, a random part, all. */
static uint32_t part_of(uint32_t bits, uint32_t index) {
    switch (cut_mode) {
    case 0:
        return 0;
    case 1:
        return index % 2 == 0 ? bits & 0xFFFFu : 0;
    case 2:
        return bits & next_noise();
    default:
        return bits;
    }
}

void bp_port_flash_erase(uint8_t slot, uint32_t offset) {
    const int cut = is_cut();
    CHECK(slot < 2 && offset % BP_FLASH_PAGE_BYTES == 0 && offset < BP_SAVE_SLOT_BYTES);
    for (uint32_t i = 0; i < PAGE_WORDS; i++) {
        uint32_t *word = &flash[slot][offset / 4 + i];
        *word |= cut ? part_of(~*word, i) : ~*word;
    }
    if (cut) {
        longjmp(power_off, 1);
    }
}

void bp_port_flash_write(uint8_t slot, uint32_t offset, uint32_t word) {
    const int cut = is_cut();
    CHECK(slot < 2 && offset % 4 == 0 && offset < BP_SAVE_SLOT_BYTES);
    uint32_t *to = &flash[slot][offset / 4];
    CHECK(*to == 0xFFFFFFFFu); /* each word once an erase */
    *to &= cut ? ~part_of(~word, 0) : word;
    if (cut) {
        longjmp(power_off, 1);
    }
}

uint32_t bp_port_flash_read(uint8_t slot, uint32_t offset) {
    CHECK(slot < 2 && offset % 4 == 0 && offset < BP_SAVE_SLOT_BYTES);
    return flash[slot][offset / 4];
}

void bp_port_reset(void) {}

typedef struct {
    uint8_t image[IMAGE_BYTES];
    uint8_t state[STATE_BYTES];
    uint8_t detector[DETECTOR_BYTES];
    uint32_t config[APP_SLOT_CONFIG_WORDS];
} content_t;

static content_t content_of(uint32_t number) {
    content_t content;
    memset(&content, 0, sizeof content);
    for (uint32_t i = 0; i < IMAGE_BYTES; i++) {
        content.image[i] = (uint8_t)(i * 7u + number * 31u);
    }
    for (uint32_t i = 0; i < STATE_BYTES; i++) {
        content.state[i] = (uint8_t)(i * 13u + number * 17u);
    }
    for (uint32_t i = 0; i < DETECTOR_BYTES; i++) {
        content.detector[i] = (uint8_t)(i * 5u + number * 11u);
    }
    content.config[0] = number;
    content.config[3] = ~number;
    content.config[4] = (uint32_t)DETECTOR_BYTES << 16;
    return content;
}

static int save(uint32_t number) {
    const content_t content = content_of(number);
    app_save_slot_t slot;
    memset(&slot, 0, sizeof slot);
    slot.image_bytes = IMAGE_BYTES;
    slot.state_bytes = STATE_BYTES;
    memcpy(slot.config, content.config, sizeof slot.config);
    return app_slots_save(&slot, content.image, content.state, content.detector);
}

/* The number of the save that is found, 0 for none; its content has to be whole. */
static uint32_t found(void) {
    app_save_slot_t slot;
    content_t read;
    if (!app_slots_newest(&slot)) {
        return 0;
    }
    memset(&read, 0, sizeof read);
    CHECK(slot.image_bytes == IMAGE_BYTES && slot.state_bytes == STATE_BYTES);
    app_slots_read(read.image, slot.slot, APP_SLOT_HEADER_BYTES, IMAGE_BYTES);
    app_slots_read(read.state, slot.slot, app_slots_needed(IMAGE_BYTES, 0), STATE_BYTES);
    app_slots_read(read.detector, slot.slot, app_slots_needed(IMAGE_BYTES, STATE_BYTES),
                   DETECTOR_BYTES);
    memcpy(read.config, slot.config, sizeof read.config);
    const content_t wanted = content_of(read.config[0]);
    CHECK(memcmp(&read, &wanted, sizeof read) == 0);
    return read.config[0];
}

static uint32_t operations_of_a_save(void) {
    const uint32_t bytes = BYTES_OF_A_SAVE;
    return (bytes + BP_FLASH_PAGE_BYTES - 1) / BP_FLASH_PAGE_BYTES + bytes / 4;
}

/* Cuts save number `before` + 1 at its k-th operation. */
static void cut_once(uint32_t before, uint32_t k, uint8_t fresh) {
    memset(flash, fresh, sizeof flash);
    left = 0;
    for (uint32_t number = 1; number <= before; number++) {
        CHECK(save(number));
        CHECK(found() == number);
    }
    left = k;
    if (setjmp(power_off) == 0) {
        CHECK(save(before + 1));
        CHECK(k > operations_of_a_save());
        CHECK(found() == before + 1);
        return;
    }
    left = 0;
    const uint32_t now = found();
    CHECK(now == before || (now == before + 1 && k == operations_of_a_save()));
    CHECK(save(before + 2)); /* and the next save does its work */
    CHECK(found() == before + 2);
}

/* A second cut, while the save after a cut one is written. */
static void cut_twice(uint32_t before, uint32_t first, uint32_t second) {
    volatile uint32_t cuts = 0;
    memset(flash, 0xFF, sizeof flash);
    left = 0;
    for (uint32_t number = 1; number <= before; number++) {
        CHECK(save(number));
    }
    if (setjmp(power_off) == 0) {
        left = first;
        (void)save(before + 1);
    }
    const uint32_t old = found();
    if (setjmp(power_off) == 0) {
        left = second;
        (void)save(before + 2);
    } else {
        cuts++;
    }
    left = 0;
    const uint32_t now = found();
    CHECK(now == before + 2 || (now == old && cuts == 1));
    CHECK(old >= before);
}

static void test_cut_at_every_operation(void) {
    static const uint8_t fresh[] = {0xFF, 0x00, 0xA5};
    for (uint32_t before = 0; before < 4; before++) {
        for (uint32_t k = 1; k <= operations_of_a_save() + 1; k++) {
            for (cut_mode = 0; cut_mode < N_MODES; cut_mode++) {
                for (unsigned i = 0; i < sizeof fresh; i++) {
                    cut_once(before, k, fresh[i]);
                }
            }
        }
    }
}

static void test_cut_twice(void) {
    for (uint32_t before = 1; before < 3; before++) {
        for (uint32_t first = 1; first <= operations_of_a_save(); first++) {
            for (uint32_t second = 1; second <= operations_of_a_save(); second++) {
                cut_mode = (int)((first + second) % N_MODES);
                cut_twice(before, first, second);
            }
        }
    }
}

static void test_both_slots_take_turns(void) {
    app_save_slot_t slot;
    memset(flash, 0, sizeof flash);
    for (uint32_t number = 1; number <= 5; number++) {
        CHECK(save(number));
        CHECK(app_slots_newest(&slot));
        CHECK(slot.slot == (number + 1) % 2);
        CHECK(slot.sequence == number);
    }
}

static void test_sequence_wraps(void) {
    app_save_slot_t slot;
    const content_t content = content_of(1);
    memset(flash, 0xFF, sizeof flash);
    CHECK(save(1));
    CHECK(app_slots_newest(&slot));
    memset(flash, 0xFF, sizeof flash);
    slot.sequence = 0xFFFFFFFFu;
    slot.crc = crc_of_save(&slot, content.image, content.state, content.detector);
    uint32_t at = write_bytes(slot.slot, APP_SLOT_HEADER_BYTES, content.image, IMAGE_BYTES);
    at = write_bytes(slot.slot, at, content.state, STATE_BYTES);
    (void)write_bytes(slot.slot, at, content.detector, DETECTOR_BYTES);
    write_header(&slot);
    CHECK(found() == 1);
    CHECK(save(2));
    CHECK(app_slots_newest(&slot));
    CHECK(slot.sequence == 0);
    CHECK(found() == 2);
}

static void test_damage_is_seen(void) {
    for (uint32_t bit = 0; bit < 8 * BYTES_OF_A_SAVE; bit++) {
        memset(flash, 0xFF, sizeof flash);
        CHECK(save(1));
        CHECK(save(2));
        flash[1][bit / 32] ^= (uint32_t)1 << bit % 32;
        CHECK(found() == 1);
    }
}

int main(void) {
    test_both_slots_take_turns();
    test_cut_at_every_operation();
    test_cut_twice();
    test_sequence_wraps();
    test_damage_is_seen();
    return 0;
}
