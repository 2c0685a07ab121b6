/* Polynomial 0x04C11DB7 reflected, initial value and final xor all ones.
 * A table of 16 entries, one step per nibble: 64 bytes serve every board, in flash also on AVR. */
#include <byteprop/config.h>
#include <byteprop/crc32.h>

static const uint32_t nibble_table[16] BP_TABLE = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
    0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
    0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};

#ifdef __AVR__
#define NOT_INLINED __attribute__((noinline)) /* flash is scarcer than time there */
#else
#define NOT_INLINED
#endif

NOT_INLINED static uint32_t step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (uint8_t nibble = 0; nibble < 2; nibble++) {
        crc = (crc >> 4) ^ BP_TABLE_U32(nibble_table + (crc & 15u));
    }
    return crc;
}

uint32_t bp_crc32(uint32_t crc, const uint8_t *data, uint32_t n) {
    crc = ~crc;
    while (n-- != 0) {
        crc = step(crc, *data++);
    }
    return ~crc;
}

uint32_t bp_crc32_rom(uint32_t crc, const uint8_t *data, uint32_t n) {
#if defined(__AVR__) && !BP_ROM_IS_RAM
    crc = ~crc;
    while (n-- != 0) {
        crc = step(crc, BP_ROM_U8(data++));
    }
    return ~crc;
#else
    return bp_crc32(crc, data, n);
#endif
}
