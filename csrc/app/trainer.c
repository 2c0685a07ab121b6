#include "trainer.h"

#include "pool.h"

#if APP_CAN_TRAIN

#include <byteprop/link.h>

enum { IDLE, RUNNING, ENDED };

/* A bp_train_t, which is private to the library. */
static union {
    uint8_t bytes[BP_TRAIN_BYTES];
    void *pointer; /* aligns */
    uint32_t word;
} bp_app_train;
static bp_train_config_t config;
static uint8_t *memory;
static uint32_t n_state;
static uint8_t phase;
static uint8_t state_was_written;

static bp_train_t *train(void) {
    return (bp_train_t *)(void *)&bp_app_train;
}

/* The biases that inference reads follow from a state, so they are folded again. */
static bp_status_t resume_from_written_state(void) {
    if (state_was_written) {
        BP_TRY(bp_train_resume(train()));
        state_was_written = 0;
    }
    return BP_OK;
}

static uint8_t in_flash(void) {
    return APP_TRAINS_IN_FLASH && (config.flags & BP_TRAIN_IN_FLASH) != 0;
}

void app_train_seal(void) {
    uint8_t crc[4];
    (void)resume_from_written_state();
    bp_train_seal(train());
    if (APP_TRAINS_IN_FLASH && in_flash()) {
        bp_train_read_image(crc, train(), BP_HEADER_CRC32, sizeof crc);
    } else {
        app_copy(crc, app_ram_image() + BP_HEADER_CRC32, sizeof crc);
    }
    app_image_sealed(app_get_u32(crc));
}

void app_train_drop(void) {
    if (phase == IDLE) {
        return;
    }
    app_train_seal();
    if (APP_TRAINS_IN_FLASH && in_flash()) {
        app_image_sealed(app_flash_model_crc());
    }
    phase = IDLE;
}

#if APP_TRAINS_IN_FLASH
const bp_train_t *app_train_in_flash(void) {
    if (phase == IDLE || !in_flash()) {
        return NULL;
    }
    (void)resume_from_written_state();
    return train();
}
#endif

uint8_t *app_train_state(uint32_t *n) {
    *n = n_state;
    return phase == IDLE ? NULL : memory;
}

void app_train_state_written(void) {
    state_was_written = 1;
}

bp_status_t app_trainer(bp_train_t **trainer, int learns) {
    *trainer = train();
    if (phase == IDLE || (learns && phase != RUNNING)) {
        return BP_E_STATE;
    }
    return resume_from_written_state();
}

bp_status_t app_train_finish(void) {
    bp_train_t *trainer;
    BP_TRY(app_trainer(&trainer, 0));
    bp_train_flush(trainer);
    app_train_seal();
    phase = ENDED;
    return BP_OK;
}

static bp_status_t parse_config(bp_train_config_t *to, const uint8_t *p) {
    to->seed = app_get_u32(p + BP_TRAIN_CONFIG_SEED);
    to->frozen = app_get_u32(p + BP_TRAIN_CONFIG_FROZEN);
    to->batch = app_get_u16(p + BP_TRAIN_CONFIG_BATCH);
    to->window = app_get_u16(p + BP_TRAIN_CONFIG_WINDOW);
    to->flags = p[BP_TRAIN_CONFIG_FLAGS];
    to->momentum_shift = p[BP_TRAIN_CONFIG_MOMENTUM];
    to->kept = app_get_u16(p + BP_TRAIN_CONFIG_KEPT);
    to->rate_shift = p[BP_TRAIN_CONFIG_RATE];
    to->convs = p[BP_TRAIN_CONFIG_CONVS];
    return app_get_u16(p + BP_TRAIN_CONFIG_CONVS + 1) == 0
               ? BP_OK
               : BP_E_ARG;
}

void app_train_config(uint8_t *to) {
    app_put_u32(to + BP_TRAIN_CONFIG_SEED, config.seed);
    app_put_u32(to + BP_TRAIN_CONFIG_FROZEN, config.frozen);
    app_put_u16(to + BP_TRAIN_CONFIG_BATCH, config.batch);
    app_put_u16(to + BP_TRAIN_CONFIG_WINDOW, config.window);
    to[BP_TRAIN_CONFIG_FLAGS] = config.flags;
    to[BP_TRAIN_CONFIG_MOMENTUM] = config.momentum_shift;
    app_put_u16(to + BP_TRAIN_CONFIG_KEPT, config.kept);
    to[BP_TRAIN_CONFIG_RATE] = config.rate_shift;
    to[BP_TRAIN_CONFIG_CONVS] = config.convs;
    app_put_u16(to + BP_TRAIN_CONFIG_CONVS + 1, 0);
}

static bp_status_t plan(app_call_t *call, uint32_t *needed) {
    uint16_t op;
    const bp_status_t status = bp_train_plan(needed, &n_state, &op, app_model(), &config);
    if (status == BP_E_UNSUPPORTED || status == BP_E_PARAM) {
        app_put_u16(call->payload, op);
        call->n_answer = 2;
    }
    return status;
}

bp_status_t app_train_open(app_call_t *call, const uint8_t *config_bytes) {
    uint32_t needed;
    app_train_drop();
    if (app_model() == NULL) {
        return BP_E_NO_MODEL;
    }
    BP_TRY(parse_config(&config, config_bytes));
    if ((config.flags & BP_TRAIN_IN_FLASH) != 0 && (!in_flash() || !app_is_in_flash())) {
        return BP_E_ARG;
    }
    BP_TRY(plan(call, &needed));
    BP_TRY(app_hold_image(call, needed, &memory, in_flash()));
    BP_TRY(bp_train_open(train(), app_selected_image(), app_model()->image_bytes, &config, memory,
                         needed, app_selected.arena));
    phase = RUNNING;
    state_was_written = 0;
    app_put_u32(call->payload, needed);
    app_put_u32(call->payload + 4, n_state);
    call->n_answer = 8;
    return BP_OK;
}

#else
typedef int app_trainer_is_not_there;
#endif
