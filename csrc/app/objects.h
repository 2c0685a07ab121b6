/* Objects of WRITE, READ and DIGEST as ranges of bytes, which may cross from one input or output
 * into the next. */
#ifndef BYTEPROP_APP_OBJECTS_H
#define BYTEPROP_APP_OBJECTS_H

#include <byteprop/status.h>
#include <stdint.h>

typedef struct {
    uint8_t object; /* BP_OBJ_x */
    uint16_t index;
    uint32_t offset;
    uint32_t n;
} app_range_t;

/* E_RANGE, E_UNKNOWN, E_STATE or E_NO_MODEL unless all of the range exists. */
bp_status_t app_check_range(const app_range_t *range);
/* Of a checked range, which is used up. BP_OBJ_IMAGE cannot be written. */
void app_copy_out(uint8_t *dst, app_range_t *range);
void app_copy_in(app_range_t *range, const uint8_t *src);
uint32_t app_crc_of(app_range_t *range);

/* Copies the first n bytes of the outputs; their digest. */
void app_outputs_copy(uint8_t *dst, uint32_t n);
uint32_t app_outputs_crc(void);

#endif
