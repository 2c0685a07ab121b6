/* What the fuzz targets share. */
#ifndef BYTEPROP_FUZZ_COMMON_H
#define BYTEPROP_FUZZ_COMMON_H

#include <byteprop/crc32.h>
#include <byteprop/model.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(int condition) {
    if (!condition) {
        abort();
    }
}

static inline uint16_t get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p) {
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline void put_u32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; ++i) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Makes length and checksum of an image right, or hardly any mutation would pass them. */
static inline void seal_image(uint8_t *image, size_t n) {
    if (n >= BP_MODEL_CRC_FROM) {
        put_u32(image + BP_HEADER_TOTAL_BYTES, (uint32_t)n);
        put_u32(image + BP_HEADER_CRC32,
                bp_crc32(0, image + BP_MODEL_CRC_FROM, (uint32_t)(n - BP_MODEL_CRC_FROM)));
    }
}

#endif
