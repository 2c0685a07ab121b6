#ifndef BYTEPROP_APP_SESSION_H
#define BYTEPROP_APP_SESSION_H

#include <byteprop/link.h>

/* Answers a frame of the host, whose payload may be overwritten, as may the byte before it. */
void app_session_frame(const bp_frame_t *frame, uint8_t *payload);

#endif
