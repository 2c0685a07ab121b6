/* SAVE, RESTORE, SAVE_INFO: what was learnt outlives a reset and a power cut. */
#include "handlers.h"
#include "pool.h"
#include "save_slots.h"
#include "trainer.h"

#if APP_CAN_SAVE

enum { CRC_BYTES = 4 };
enum { SAMPLES_AT = 4 }; /* in the state: bp_train_counters_t comes first */

static bp_status_t describe(app_call_t *call, const app_save_slot_t *save) {
    uint8_t *p = call->payload;
    uint8_t samples[4];
    const uint32_t state_at = APP_SLOT_HEADER_BYTES + ((save->image_bytes + 3u) & ~(uint32_t)3u);
    app_slots_read(samples, save->slot, state_at + SAMPLES_AT, sizeof samples);
    app_put_u32(p, save->sequence);
    app_put_u32(p + 4, save->image_bytes);
    app_put_u32(p + 8, save->state_bytes);
    app_put_u32(p + 12, save->crc);
    app_copy(p + 16, samples, sizeof samples);
    p[20] = save->slot;
    call->n_answer = 21;
    return BP_OK;
}

/* An image in flash stays there: its checksum is saved in its place, to know it again. */
static const uint8_t *image_to_save(uint32_t *n) {
    static uint8_t APP_ALIGNED_4 crc[CRC_BYTES];
    if (app_train_in_flash() == NULL) {
        *n = app_model()->image_bytes;
        return app_ram_image();
    }
    app_put_u32(crc, app_flash_model_crc());
    *n = sizeof crc;
    return crc;
}

bp_status_t app_save(app_call_t *call) {
    app_save_slot_t save;
    uint8_t bytes[BP_TRAIN_CONFIG_BYTES];
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    const uint8_t *state = app_train_state(&save.state_bytes);
    if (state == NULL) {
        return BP_E_STATE;
    }
    const uint8_t *image = image_to_save(&save.image_bytes);
    const uint32_t needed = app_slots_needed(save.image_bytes, save.state_bytes);
    if (needed > BP_SAVE_SLOT_BYTES) {
        return app_no_space(call, needed, BP_SAVE_SLOT_BYTES);
    }
    if (image == app_ram_image()) {
        app_train_seal();
    }
    app_train_config(bytes);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        save.config[i] = app_get_u32(bytes + 4 * i);
    }
    return app_slots_save(&save, image, state) ? describe(call, &save) : BP_E_CRC;
}

bp_status_t app_save_info(app_call_t *call) {
    app_save_slot_t save;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    return app_slots_newest(&save) ? describe(call, &save) : BP_E_NO_MODEL;
}

static void read_config(uint8_t *to, const app_save_slot_t *save) {
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        app_put_u32(to + 4 * i, save->config[i]);
    }
}

/* Opens the image of a save, or the one in flash that it belongs to. */
static bp_status_t open_image(app_call_t *call, const app_save_slot_t *save) {
    uint8_t crc[CRC_BYTES];
    if (save->image_bytes == CRC_BYTES) {
        app_slots_read(crc, save->slot, APP_SLOT_HEADER_BYTES, CRC_BYTES);
        if (app_flash_model_crc() == 0 || app_get_u32(crc) != app_flash_model_crc()) {
            return BP_E_NO_MODEL;
        }
        app_train_drop();
        const bp_status_t status = app_open_flash(call);
        call->n_answer = status == BP_E_SPACE ? call->n_answer : 0;
        return status;
    }
    if (save->image_bytes > APP_POOL_BYTES) {
        return app_no_space(call, save->image_bytes, APP_POOL_BYTES);
    }
    app_train_drop();
    app_slots_read(app_ram_image(), save->slot, APP_SLOT_HEADER_BYTES, save->image_bytes);
    return app_open_restored(call, save->image_bytes);
}

bp_status_t app_restore(app_call_t *call) {
    app_save_slot_t save;
    uint8_t config[BP_TRAIN_CONFIG_BYTES];
    uint32_t n;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    if (!app_slots_newest(&save)) {
        return BP_E_NO_MODEL;
    }
    BP_TRY(open_image(call, &save));
    read_config(config, &save);
    BP_TRY(app_train_open(call, config));
    uint8_t *state = app_train_state(&n);
    if (n != save.state_bytes) {
        app_train_drop();
        return BP_E_VERSION;
    }
    app_slots_read(state, save.slot, app_slots_needed(save.image_bytes, 0), n);
    app_train_state_written();
    return describe(call, &save);
}

#else
typedef int app_request_save_is_not_there;
#endif
