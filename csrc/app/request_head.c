/* REMEMBER, HOLD, CHECK, IMPRINT, REMOVE: features that are kept, and classes that come and go. */
#include "handlers.h"
#include "trainer.h"

#if APP_CAN_KEEP

/* The trainer and the class of a request; nothing is answered but the status. */
static bp_status_t begin(const app_call_t *call, bp_train_t **trainer, uint16_t *label) {
    if (call->n != 2) {
        return BP_E_LENGTH;
    }
    *label = app_get_u16(call->payload);
    return app_trainer(trainer, 1);
}

bp_status_t app_remember(app_call_t *call) {
    bp_train_t *trainer;
    uint16_t label;
    BP_TRY(begin(call, &trainer, &label));
    /* The inputs are in the arena. */
    return bp_train_remember(trainer, NULL, label);
}

bp_status_t app_hold(app_call_t *call) {
    bp_train_t *trainer;
    uint16_t label;
    BP_TRY(begin(call, &trainer, &label));
    return bp_train_hold(trainer, NULL, label);
}

bp_status_t app_check(app_call_t *call) {
    bp_train_t *trainer;
    bp_train_check_t check;
    bp_train_counters_t counters;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_trainer(&trainer, 1));
    const uint32_t begin = bp_port_ticks();
    BP_TRY(bp_train_check(trainer, &check));
    const uint32_t ticks = bp_port_ticks() - begin;
    bp_train_counters(&counters, trainer);
    app_put_u32(call->payload, check.loss);
    app_put_u32(call->payload + 4, check.waited);
    app_put_u16(call->payload + 8, check.held);
    app_put_u16(call->payload + 10, check.correct);
    app_put_u32(call->payload + 12, counters.steps);
    app_put_u32(call->payload + 16, ticks);
    call->n_answer = 20;
    return BP_OK;
}

bp_status_t app_imprint(app_call_t *call) {
    bp_train_t *trainer;
    uint16_t label;
    BP_TRY(begin(call, &trainer, &label));
    return bp_train_imprint(trainer, label);
}

bp_status_t app_remove(app_call_t *call) {
    bp_train_t *trainer;
    uint16_t label;
    BP_TRY(begin(call, &trainer, &label));
    return bp_train_remove(trainer, label);
}

#else
typedef int app_request_head_is_not_there;
#endif
