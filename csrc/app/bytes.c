#include "bytes.h"

void app_put_u32(uint8_t *p, uint32_t value) {
    app_put_u16(p, (uint16_t)value);
    app_put_u16(p + 2, (uint16_t)(value >> 16));
}

void app_put_u32s(uint8_t *p, const uint32_t *values, uint8_t n) {
    for (; n != 0; n--, p += 4) {
        app_put_u32(p, *values++);
    }
}

void app_copy(uint8_t *dst, const uint8_t *src, uint32_t n) {
    while (n-- != 0) {
        *dst++ = *src++;
    }
}
