/* The handlers of requests, one for each row of BP_REQUEST_LIST: app_<handler>(call) returns the
 * status and builds the answer. A handler that the build's features leave out is never called. */
#ifndef BYTEPROP_APP_HANDLERS_H
#define BYTEPROP_APP_HANDLERS_H

#include <byteprop/link.h>

#include "call.h"

#define APP_HANDLER(NAME, handler, purity, feature) bp_status_t app_##handler(app_call_t *call);
BP_REQUEST_LIST(APP_HANDLER)
#undef APP_HANDLER

/* Ticks of all ops, for any request that runs the model, with heartbeats. */
uint32_t app_run_timed(void);
/* Resets the board if RESET was executed and answered. */
void app_reset_if_requested(void);

#endif
