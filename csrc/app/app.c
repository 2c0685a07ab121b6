/* The device program: bytes from the port become frames, frames become requests. It never starts a
 * conversation and holds no timers; the host does both. */
#include "fault.h"
#include "features.h"
#include "frames.h"
#include "handlers.h"
#include "session.h"

void bp_app_begin(void) {
    bp_port_init();
    app_frames_init();
}

void bp_app_poll(void) {
    bp_frame_t frame = {0, 0, 0, 0, NULL, 0};
    uint8_t *payload;
    if (app_receive(&frame, &payload)) {
        app_session_frame(&frame, payload);
        app_reset_if_requested();
    }
    app_check_stack();
}
