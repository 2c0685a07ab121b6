/* SAVE, RESTORE, SAVE_INFO: what was learnt outlives a reset and a power cut. */
#include "handlers.h"
#include "pool.h"
#include "save_slots.h"
#include "trainer.h"

#if APP_CAN_SAVE

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
    save.image_bytes = app_model()->image_bytes;
    const uint32_t needed = app_slots_needed(save.image_bytes, save.state_bytes);
    if (needed > BP_SAVE_SLOT_BYTES) {
        return app_no_space(call, needed, BP_SAVE_SLOT_BYTES);
    }
    app_train_seal();
    app_train_config(bytes);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        save.config[i] = app_get_u32(bytes + 4 * i);
    }
    return app_slots_save(&save, app_ram_image(), state) ? describe(call, &save) : BP_E_CRC;
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
    if (save.image_bytes > BP_POOL_BYTES) {
        return app_no_space(call, save.image_bytes, BP_POOL_BYTES);
    }
    app_train_drop();
    app_slots_read(app_ram_image(), save.slot, APP_SLOT_HEADER_BYTES, save.image_bytes);
    BP_TRY(app_open_restored(call, save.image_bytes));
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
