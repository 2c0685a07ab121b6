/* Which request is whose. */
#include "app.h"

int app_request_is_pure(uint8_t type) {
    return type == BP_MSG_ECHO || type == BP_MSG_READ || type == BP_MSG_DIGEST ||
           type == BP_MSG_STATS;
}

uint8_t app_request(uint8_t type, app_call_t *call) {
    switch (type) {
    case BP_MSG_ECHO:
        return app_echo(call);
    case BP_MSG_RESET:
        return app_reset(call);
    case BP_MSG_STATS:
        return app_stats(call);
    case BP_MSG_LOAD_BEGIN:
        return app_load_begin(call);
    case BP_MSG_LOAD_DATA:
        return app_load_data(call);
    case BP_MSG_LOAD_END:
        return app_load_end(call);
    case BP_MSG_SELECT:
        return app_select(call);
    case BP_MSG_WRITE:
        return app_write(call);
    case BP_MSG_READ:
        return app_read(call);
    case BP_MSG_DIGEST:
        return app_digest(call);
    case BP_MSG_INFER:
        return app_infer(call);
    case BP_MSG_PROFILE:
        return app_profile(call);
#if APP_CAN_TRAIN
    case BP_MSG_TRAIN_BEGIN:
        return app_train_begin(call);
    case BP_MSG_TRAIN:
        return app_train(call);
    case BP_MSG_EVALUATE:
        return app_evaluate(call);
    case BP_MSG_TRAIN_END:
        return app_train_end(call);
    case BP_MSG_SAVE:
        return app_save(call);
    case BP_MSG_RESTORE:
        return app_restore(call);
    case BP_MSG_SAVED:
        return app_saved(call);
#else
    case BP_MSG_TRAIN_BEGIN:
    case BP_MSG_TRAIN:
    case BP_MSG_EVALUATE:
    case BP_MSG_TRAIN_END:
    case BP_MSG_SAVE:
    case BP_MSG_RESTORE:
    case BP_MSG_SAVED:
        return BP_E_UNSUPPORTED;
#endif
#if BP_APP_TEST_FAULTS
    case BP_MSG_TEST_FAULT:
        return app_test_fault(call);
#endif
    default:
        return BP_E_UNKNOWN;
    }
}
