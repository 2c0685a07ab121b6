/* RP2040 Datasheet, 2.8.3 "Bootrom Contents": the ROM's functions are found by two letters, in a
 * table whose address is in the ROM, by a function whose address is there too. */
#include "bp_board.h"
#include "bp_usb.h"

#define CODE(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)

typedef uint32_t (*lookup_t)(const uint16_t *table, uint32_t code);
typedef void (*usb_boot_t)(uint32_t led_pins, uint32_t disabled_interfaces);

/* Volatile, because compilers take what is so near to address 0 for a mistake. */
static const uint16_t *const volatile rom_table = (const uint16_t *)0x14;
static const uint16_t *const volatile rom_lookup = (const uint16_t *)0x18;

void bp_rp2040_boot_loader(void) {
    lookup_t lookup = (lookup_t)(uintptr_t)*rom_lookup;
    const uint16_t *table = (const uint16_t *)(uintptr_t)*rom_table;
    usb_boot_t usb_boot = (usb_boot_t)(uintptr_t)lookup(table, CODE('U', 'B'));
    usb_boot(0, 0);
}
