/* The pool and the selected model. An image in RAM is stored at the pool's front, the arena behind
 * it, then what training needs; with the model in flash the arena has the whole pool. Whoever
 * trains has to stop before another model is opened. */
#ifndef BYTEPROP_APP_POOL_H
#define BYTEPROP_APP_POOL_H

#include <byteprop/infer.h>

#include "call.h"
#include "features.h"

/* The selected model, or NULL. */
const bp_model_t *app_model(void);
/* What belongs to it. One object, because each further one takes an address in flash wherever it
 * is used. */
extern struct app_selected {
    uint8_t *arena;
    uint32_t input_bytes; /* of all inputs */
    uint32_t output_bytes;
#if APP_HAS_ROWS
    uint32_t fed;        /* bytes of the input of a model that is fed */
    uint32_t feed_ticks; /* that they took */
    uint8_t is_fed;
#endif
} app_selected;
/* Checksum of the model in flash; 0 when there is none. */
uint32_t app_flash_model_crc(void);
/* Selects it; answers as SELECT. */
bp_status_t app_open_flash(app_call_t *call);

/* Begin or continue an upload; answer with the offset up to which bytes have arrived. */
bp_status_t app_load_image(app_call_t *call, uint32_t bytes, uint32_t crc);
bp_status_t app_load_bytes(app_call_t *call, uint32_t offset, const uint8_t *data, uint32_t n);
/* Selects the image in RAM when it is complete; answers as SELECT. */
bp_status_t app_open_ram(app_call_t *call);

/* The pool's front, where an image in RAM is stored. */
uint8_t *app_ram_image(void);
/* The selected image; one in flash is only read. */
uint8_t *app_selected_image(void);
int app_is_in_flash(void);
/* Makes room for training: the selected image at the pool's front (copied from flash if it is not
 * there, unless it stays), the arena behind it, then *memory of n bytes. E_SPACE says what is needed. */
bp_status_t app_hold_image(app_call_t *call, uint32_t n, uint8_t **memory, uint8_t stays);
/* Memory behind all that is in the pool, until the request ends. E_SPACE says what is needed. */
bp_status_t app_hold_bytes(app_call_t *call, uint32_t n, uint8_t **bytes);
/* The selected image has a new checksum. */
void app_image_sealed(uint32_t crc);
/* An image of n bytes was put to the pool's front; selects it. */
bp_status_t app_open_restored(app_call_t *call, uint32_t n);

#endif
