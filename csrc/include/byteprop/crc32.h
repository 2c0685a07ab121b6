/* CRC-32 as zlib's: of model images, of frames on the link, and of saves in flash. */
#ifndef BYTEPROP_CRC32_H
#define BYTEPROP_CRC32_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
/* zlib's CRC-32 of n bytes, continued from crc (0 to begin). */
uint32_t bp_crc32(uint32_t crc, const uint8_t *data, uint32_t n);
/* cdef: end */

/* The same, of ROM. */
uint32_t bp_crc32_rom(uint32_t crc, const uint8_t *data, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
