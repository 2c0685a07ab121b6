/* Little-endian fields of the model image, internal to csrc. */
#ifndef BYTEPROP_ROM_H
#define BYTEPROP_ROM_H

#include <byteprop/config.h>
#include <stdint.h>

static inline uint16_t bp_rom_u16(const uint8_t *p) {
    return (uint16_t)(BP_ROM_U8(p) | (uint16_t)BP_ROM_U8(p + 1) << 8);
}

/* Every field of 32 bits lies 4-byte aligned. */
static inline uint32_t bp_rom_u32(const uint8_t *p) {
    return (uint32_t)BP_ROM_I32(p);
}

#endif
