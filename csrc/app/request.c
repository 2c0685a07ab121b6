/* Dispatches requests to their handlers. */
#include "request.h"

#include "features.h"
#include "handlers.h"

typedef bp_status_t handler_t(app_call_t *call);

#if !(APP_CAN_LOAD && APP_CAN_KEEP && APP_CAN_SAVE && APP_CAN_DETECT)
static bp_status_t unsupported(app_call_t *call) {
    (void)call;
    return BP_E_UNSUPPORTED;
}
#endif

#define IF_ALWAYS(handler) handler
#if APP_CAN_LOAD
#define IF_LOADS(handler) handler
#else
#define IF_LOADS(handler) unsupported
#endif
#if APP_CAN_TRAIN
#define IF_TRAINS(handler) handler
#else
#define IF_TRAINS(handler) unsupported
#endif
#if APP_CAN_KEEP
#define IF_KEEPS(handler) handler
#else
#define IF_KEEPS(handler) unsupported
#endif
#if APP_CAN_DETECT
#define IF_DETECTS(handler) handler
#else
#define IF_DETECTS(handler) unsupported
#endif
#if APP_CAN_SAVE
#define IF_SAVES(handler) handler
#else
#define IF_SAVES(handler) unsupported
#endif
#if BP_APP_TEST_FAULTS
#define IF_TESTS(handler) handler
#else
#define IF_TESTS(handler) unknown
static bp_status_t unknown(app_call_t *call) {
    (void)call;
    return BP_E_UNKNOWN;
}
#endif

#define TYPE(NAME, handler, purity, feature) BP_MSG_##NAME,
#define HANDLER(NAME, handler, purity, feature) IF_##feature(app_##handler),

/* Two tables that are searched take half the code of a switch, whose cases are far apart. */
static const uint8_t types[] BP_TABLE = {BP_REQUEST_LIST(TYPE)};
static handler_t *const handlers[] BP_TABLE = {BP_REQUEST_LIST(HANDLER)};

bp_status_t app_request(uint8_t type, app_call_t *call) {
    for (uint8_t i = 0; i < sizeof types; i++) {
        if (BP_TABLE_U8(types + i) == type) {
            return BP_TABLE_POINTER(handlers + i)(call);
        }
    }
    return BP_E_UNKNOWN;
}
