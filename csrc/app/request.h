#ifndef BYTEPROP_APP_REQUEST_H
#define BYTEPROP_APP_REQUEST_H

#include "call.h"

/* Executes a request; returns its status. */
bp_status_t app_request(uint8_t type, app_call_t *call);

#endif
