/* Dispatches requests to their handlers. */
#include "request.h"

#include "features.h"
#include "handlers.h"

#define IF_ALWAYS(call) (call)
#if APP_CAN_LOAD
#define IF_LOADS(call) (call)
#else
#define IF_LOADS(call) BP_E_UNSUPPORTED
#endif
#if APP_CAN_TRAIN
#define IF_TRAINS(call) (call)
#else
#define IF_TRAINS(call) BP_E_UNSUPPORTED
#endif
#if APP_CAN_SAVE
#define IF_SAVES(call) (call)
#else
#define IF_SAVES(call) BP_E_UNSUPPORTED
#endif
#if BP_APP_TEST_FAULTS
#define IF_TESTS(call) (call)
#else
#define IF_TESTS(call) BP_E_UNKNOWN
#endif

#define CASE(NAME, handler, purity, feature)                                                       \
    case BP_MSG_##NAME:                                                                            \
        return IF_##feature(app_##handler(call));

bp_status_t app_request(uint8_t type, app_call_t *call) {
    switch (type) {
        BP_REQUEST_LIST(CASE)
    default:
        return BP_E_UNKNOWN;
    }
}
