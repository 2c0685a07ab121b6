#include "frames.h"

#include "features.h"

/* A whole frame as it is on the wire, without its delimiters. */
#define FRAME_BYTES (BP_LINK_HEADER_BYTES + BP_LINK_MAX_PAYLOAD + BP_LINK_CRC_BYTES)
#define WIRE_BYTES (FRAME_BYTES + FRAME_BYTES / 254 + 1)

/* Objects named bp_app_* are listed separately in the memory report. */
static APP_ALIGNED_4 uint8_t bp_app_frame[WIRE_BYTES]; /* targets in it are int32 */
bp_receiver_t app_receiver;
uint32_t app_repeated;
uint16_t app_expected;

void app_frames_init(void) {
    bp_receiver_init(&app_receiver, bp_app_frame, sizeof bp_app_frame);
}

int app_receive(bp_frame_t *frame, uint8_t **payload) {
    const int byte = bp_port_rx();
    *payload = bp_app_frame + BP_LINK_HEADER_BYTES;
    return byte >= 0 && bp_receiver_feed(&app_receiver, frame, (uint8_t)byte);
}

void app_send(uint8_t type, uint8_t aux, uint16_t seq, const uint8_t *payload, uint16_t n) {
    const bp_frame_t frame = {type, aux, seq, app_expected, payload, n};
    bp_frame_send(&frame, bp_port_tx);
}
