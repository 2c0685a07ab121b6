/* Consistent Overhead Byte Stuffing: a group is a code byte and code - 1 bytes that are not zero;
 * a code below 255 stands for a zero after its group, except at the end. */
#include <byteprop/link.h>

#define COBS_INVALID 0xFFFFFFFFu
#define FULL_GROUP 255u

uint32_t bp_cobs_encode(uint8_t *dst, const uint8_t *src, uint32_t n) {
    uint32_t out = 1;
    uint32_t code_at = 0;
    uint32_t code = 1;
    for (uint32_t i = 0; i < n; i++) {
        if (code == FULL_GROUP) {
            dst[code_at] = (uint8_t)code;
            code_at = out++;
            code = 1;
        }
        if (src[i] == 0) {
            dst[code_at] = (uint8_t)code;
            code_at = out++;
            code = 1;
        } else {
            dst[out++] = src[i];
            code++;
        }
    }
    dst[code_at] = (uint8_t)code;
    return out;
}

/* The write position never passes the read position, so dst may be src. */
uint32_t bp_cobs_decode(uint8_t *dst, const uint8_t *src, uint32_t n) {
    uint32_t in = 0;
    uint32_t out = 0;
    if (n == 0) {
        return COBS_INVALID;
    }
    while (in < n) {
        const uint32_t code = src[in++];
        if (code == 0 || code - 1 > n - in) {
            return COBS_INVALID;
        }
        for (uint32_t i = 1; i < code; i++) {
            if (src[in] == 0) {
                return COBS_INVALID;
            }
            dst[out++] = src[in++];
        }
        if (code != FULL_GROUP && in < n) {
            dst[out++] = 0;
        }
    }
    return out;
}
