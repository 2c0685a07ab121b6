/* Little-endian fields and copies. */
#ifndef BYTEPROP_APP_BYTES_H
#define BYTEPROP_APP_BYTES_H

#include <stdint.h>

static inline uint16_t app_get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | (uint16_t)((uint16_t)p[1] << 8));
}

static inline uint32_t app_get_u32(const uint8_t *p) {
    return (uint32_t)app_get_u16(p) | (uint32_t)app_get_u16(p + 2) << 16;
}

static inline void app_put_u16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

/* Out of line: used often. */
void app_put_u32(uint8_t *p, uint32_t value);
void app_put_u32s(uint8_t *p, const uint32_t *values, uint8_t n);
void app_copy(uint8_t *dst, const uint8_t *src, uint32_t n);

#endif
