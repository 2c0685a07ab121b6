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
#if BP_APP_TEST_FAULTS
    case BP_MSG_TEST_FAULT:
        return app_test_fault(call);
#endif
    default:
        return BP_E_UNKNOWN;
    }
}
