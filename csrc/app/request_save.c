/* SAVE, RESTORE, SAVE_INFO: what was learnt outlives a reset and a power cut. */
#include <byteprop/link.h>

#include "detector.h"
#include "handlers.h"
#include "pool.h"
#include "save_slots.h"
#include "trainer.h"

#if APP_CAN_SAVE

#if APP_CAN_DETECT
#define DETECTOR_BYTES BP_ANOMALY_BYTES
#else
#define DETECTOR_BYTES 0
#endif

enum { CRC_BYTES = 4, CONFIG_BYTES = 4 * APP_SLOT_CONFIG_WORDS };
enum { DETECTOR_BYTES_AT = BP_TRAIN_CONFIG_CONVS + 1 }; /* in a slot's configuration */
enum { SAMPLES_AT = 4, COUNTERS_BYTES = 8 }; /* in the state: bp_train_counters_t comes first */

static bp_status_t describe(app_call_t *call, const app_save_slot_t *save) {
    uint8_t *p = call->payload;
    uint8_t samples[4] = {0};
    if (save->state_bytes >= COUNTERS_BYTES) {
        const uint32_t state_at = app_slots_needed(save->image_bytes, 0);
        app_slots_read(samples, save->slot, state_at + SAMPLES_AT, sizeof samples);
    }
    app_put_u32(p, save->sequence);
    app_put_u32(p + 4, save->image_bytes);
    app_put_u32(p + 8, save->state_bytes);
    app_put_u32(p + 12, save->crc);
    app_copy(p + 16, samples, sizeof samples);
    p[20] = save->slot;
    app_put_u16(p + 21, (uint16_t)app_slots_detector_bytes(save));
    call->n_answer = 23;
    return BP_OK;
}

/* An image in flash stays there: its checksum is saved in its place, to know it again. */
static const uint8_t *image_to_save(uint32_t *n) {
    static uint8_t APP_ALIGNED_4 crc[CRC_BYTES];
    if (!app_is_in_flash()) {
        *n = app_model()->image_bytes;
        return app_ram_image();
    }
    app_put_u32(crc, app_flash_model_crc());
    *n = sizeof crc;
    return crc;
}

typedef struct {
    const uint8_t *image, *state, *detector;
} parts_t;

static void put_config(app_save_slot_t *save, const parts_t *parts) {
    uint8_t bytes[CONFIG_BYTES] = {0};
#if APP_CAN_TRAIN
    if (parts->state != NULL) {
        app_train_config(bytes);
    }
#endif
    app_put_u16(bytes + DETECTOR_BYTES_AT, parts->detector != NULL ? DETECTOR_BYTES : 0);
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        save->config[i] = app_get_u32(bytes + 4 * i);
    }
}

static bp_status_t collect(app_save_slot_t *save, parts_t *parts) {
    parts->state = app_train_state(&save->state_bytes);
    if (parts->state == NULL) {
        save->state_bytes = 0;
    }
    parts->detector = NULL;
#if APP_CAN_DETECT
    parts->detector = app_detector_bytes();
    if (parts->detector != NULL) {
        bp_anomaly_t *checked;
        BP_TRY(app_detector(&checked));
    }
#endif
    if (parts->state == NULL && parts->detector == NULL) {
        return BP_E_STATE;
    }
    parts->image = image_to_save(&save->image_bytes);
    put_config(save, parts);
    return BP_OK;
}

bp_status_t app_save(app_call_t *call) {
    app_save_slot_t save;
    parts_t parts;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    BP_TRY(collect(&save, &parts));
    if (app_slots_total(&save) > BP_SAVE_SLOT_BYTES) {
        return app_no_space(call, app_slots_total(&save), BP_SAVE_SLOT_BYTES);
    }
    if (parts.state != NULL && parts.image == app_ram_image()) {
        app_train_seal();
    }
    return app_slots_save(&save, parts.image, parts.state, parts.detector)
               ? describe(call, &save)
               : BP_E_CRC;
}

bp_status_t app_save_info(app_call_t *call) {
    app_save_slot_t save;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    return app_slots_newest(&save) ? describe(call, &save) : BP_E_NO_MODEL;
}

static void leave_model(void) {
    app_train_drop();
    app_detector_drop();
}

/* Opens the image of a save, or the one in flash that it belongs to. */
static bp_status_t open_image(app_call_t *call, const app_save_slot_t *save) {
    uint8_t crc[CRC_BYTES];
    if (save->image_bytes == CRC_BYTES) {
        app_slots_read(crc, save->slot, APP_SLOT_HEADER_BYTES, CRC_BYTES);
        if (app_flash_model_crc() == 0 || app_get_u32(crc) != app_flash_model_crc()) {
            return BP_E_NO_MODEL;
        }
        leave_model();
        const bp_status_t status = app_open_flash(call);
        call->n_answer = status == BP_E_SPACE ? call->n_answer : 0;
        return status;
    }
    if (save->image_bytes > APP_POOL_BYTES) {
        return app_no_space(call, save->image_bytes, APP_POOL_BYTES);
    }
    leave_model();
    app_slots_read(app_ram_image(), save->slot, APP_SLOT_HEADER_BYTES, save->image_bytes);
    return app_open_restored(call, save->image_bytes);
}

#if APP_CAN_TRAIN
static bp_status_t restore_training(app_call_t *call, const app_save_slot_t *save) {
    uint8_t config[CONFIG_BYTES];
    uint32_t n;
    for (uint8_t i = 0; i < APP_SLOT_CONFIG_WORDS; i++) {
        app_put_u32(config + 4 * i, save->config[i]);
    }
    app_put_u16(config + DETECTOR_BYTES_AT, 0);
    BP_TRY(app_train_open(call, config));
    uint8_t *state = app_train_state(&n);
    if (n != save->state_bytes) {
        app_train_drop();
        return BP_E_VERSION;
    }
    app_slots_read(state, save->slot, app_slots_needed(save->image_bytes, 0), n);
    app_train_state_written();
    return BP_OK;
}
#else
static bp_status_t restore_training(app_call_t *call, const app_save_slot_t *save) {
    (void)call;
    (void)save;
    return BP_E_UNSUPPORTED;
}
#endif

static bp_status_t restore_detector(const app_save_slot_t *save) {
#if APP_CAN_DETECT
    if (app_slots_detector_bytes(save) == BP_ANOMALY_BYTES) {
        app_slots_read(app_detector_restored(), save->slot,
                       app_slots_needed(save->image_bytes, save->state_bytes), BP_ANOMALY_BYTES);
        return BP_OK;
    }
#endif
    return app_slots_detector_bytes(save) == 0 ? BP_OK : BP_E_VERSION;
}

bp_status_t app_restore(app_call_t *call) {
    app_save_slot_t save;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    if (!app_slots_newest(&save)) {
        return BP_E_NO_MODEL;
    }
    BP_TRY(open_image(call, &save));
    if (save.state_bytes != 0) {
        BP_TRY(restore_training(call, &save));
    }
    BP_TRY(restore_detector(&save));
    return describe(call, &save);
}

#else
typedef int app_request_save_is_not_there;
#endif
