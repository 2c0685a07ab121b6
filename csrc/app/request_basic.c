/* ECHO, STATS, RESET, and for tests TEST_FAULT. */
#include "features.h"
#include "frames.h"
#include "handlers.h"
#include "save_slots.h"

static uint8_t reset_requested;

bp_status_t app_echo(app_call_t *call) {
    if (call->n > APP_ANSWER_BYTES) {
        return BP_E_LENGTH;
    }
    call->n_answer = call->n;
    return BP_OK;
}

bp_status_t app_stats(app_call_t *call) {
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    const uint32_t stats[] = {
        app_receiver.frames,   app_receiver.bad_frames, app_repeated,
        bp_port_rx_overruns(), bp_port_stack_free(),    bp_port_stack_bytes(),
    };
    app_put_u32s(call->payload, stats, sizeof stats / sizeof *stats);
    call->n_answer = sizeof stats;
    return BP_OK;
}

bp_status_t app_reset(app_call_t *call) {
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    reset_requested = 1;
    return BP_OK;
}

void app_reset_if_requested(void) {
    if (reset_requested) {
        bp_port_reset();
    }
}

#if BP_APP_TEST_FAULTS
/* Grows until the guard is gone; the main loop then finds it. */
static uint8_t overflow_stack(uint8_t n) {
    volatile uint8_t block[16];
    for (uint8_t i = 0; i < sizeof block; i++) {
        block[i] = n;
    }
    if (bp_port_stack_intact()) {
        block[0] = overflow_stack((uint8_t)(n + 1u));
    }
    return block[n & 15u];
}

bp_status_t app_test_fault(app_call_t *call) {
#if APP_CAN_SAVE
    if (call->n == 5 && call->payload[0] == BP_TEST_CUT) {
        app_slots_cut(app_get_u32(call->payload + 1));
        return BP_OK;
    }
#endif
    if (call->n != 1) {
        return BP_E_LENGTH;
    }
    switch (call->payload[0]) {
    case BP_FAULT_HARD:
        __builtin_trap();
    case BP_FAULT_ASSERT:
        BP_ASSERT(call == NULL);
        return BP_E_UNSUPPORTED; /* built without assertions */
    case BP_FAULT_STACK:
        call->payload[0] = overflow_stack(1);
        call->n_answer = 1;
        return BP_OK;
    default:
        return BP_E_UNKNOWN;
    }
}
#endif
