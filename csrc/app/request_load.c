/* LOAD_BEGIN, LOAD_DATA, LOAD_END, SELECT: models into the pool. */
#include <byteprop/link.h>

#include "detector.h"
#include "handlers.h"
#include "pool.h"
#include "trainer.h"

/* Training and detector belong to the model that was selected. */
static void leave_model(void) {
    app_train_drop();
    app_detector_drop();
}

#if APP_CAN_LOAD
bp_status_t app_load_begin(app_call_t *call) {
    if (call->n != 8) {
        return BP_E_LENGTH;
    }
    leave_model();
    return app_load_image(call, app_get_u32(call->payload), app_get_u32(call->payload + 4));
}

bp_status_t app_load_data(app_call_t *call) {
    if (call->n < 4) {
        return BP_E_LENGTH;
    }
    return app_load_bytes(call, app_get_u32(call->payload), call->payload + 4,
                          (uint32_t)call->n - 4u);
}

static bp_status_t select_ram(app_call_t *call) {
    leave_model();
    return app_open_ram(call);
}

bp_status_t app_load_end(app_call_t *call) {
    return call->n != 0 ? BP_E_LENGTH : select_ram(call);
}
#else
static bp_status_t select_ram(app_call_t *call) {
    (void)call;
    return BP_E_UNSUPPORTED;
}
#endif

static bp_status_t select_flash(app_call_t *call) {
    if (BP_BAKED_MODEL) {
        leave_model();
    }
    return app_open_flash(call);
}

bp_status_t app_select(app_call_t *call) {
    if (call->n != 1) {
        return BP_E_LENGTH;
    }
    switch (call->payload[0]) {
    case BP_SOURCE_FLASH:
        return select_flash(call);
    case BP_SOURCE_RAM:
        return select_ram(call);
    default:
        return BP_E_UNKNOWN;
    }
}
