/* The device program: bytes from the port become frames, frames become requests. It never starts a
 * conversation and holds no timers; the host does both. */
#include "app.h"

/* A whole frame as it is on the wire, without its delimiters. */
#define FRAME_BYTES (BP_LINK_HEADER_BYTES + BP_LINK_MAX_PAYLOAD + BP_LINK_CRC_BYTES)
#define WIRE_BYTES (FRAME_BYTES + FRAME_BYTES / 254 + 1)

/* Objects named bp_app_x are told apart in the report of what takes memory. */
static APP_ALIGNED_4 uint8_t bp_app_frame[WIRE_BYTES]; /* targets in it are int32 */
static bp_receiver_t receiver;

const bp_receiver_t *app_receiver(void) {
    return &receiver;
}

void app_put_u32(uint8_t *p, uint32_t value) {
    app_put_u16(p, (uint16_t)value);
    app_put_u16(p + 2, (uint16_t)(value >> 16));
}

void app_copy(uint8_t *dst, const uint8_t *src, uint32_t n) {
    while (n-- != 0) {
        *dst++ = *src++;
    }
}

void app_send(uint8_t type, uint8_t aux, uint16_t seq, uint16_t ack, const uint8_t *payload,
              uint16_t n) {
    const bp_frame_t frame = {type, aux, seq, ack, payload, n};
    bp_frame_send(&frame, bp_port_tx);
}

void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address) {
    uint8_t payload[9];
    payload[0] = cause;
    app_put_u32(payload + 1, pc);
    app_put_u32(payload + 5, address);
    app_send(BP_MSG_FAULT, 0, 0, app_session_expected(), payload, sizeof payload);
    bp_port_reset();
}

void app_check_stack(void) {
    if (!bp_port_stack_intact()) {
        bp_app_fault(BP_FAULT_STACK, 0, 0);
    }
}

#if BP_ASSERTIONS
/* The CRC-32 of the file's name stands for it: the host knows the names of the sources. */
void bp_assert_failed(const char *file, int line) {
    const char *name = file;
    uint16_t n = 0;
    for (; *file != 0; file++) {
        if (*file == '/' || *file == '\\') {
            name = file + 1;
            n = 0;
        } else {
            n++;
        }
    }
    bp_app_fault(BP_FAULT_ASSERT, bp_crc32(0, (const uint8_t *)name, n), (uint32_t)line);
    for (;;) {
    }
}
#endif

int bp_app_main(void) {
    bp_port_init();
    bp_receiver_init(&receiver, bp_app_frame, sizeof bp_app_frame);
    for (;;) {
        bp_frame_t frame;
        const int byte = bp_port_rx();
        if (byte >= 0 && bp_receiver_feed(&receiver, &frame, (uint8_t)byte)) {
            app_session_frame(&frame, bp_app_frame + BP_LINK_HEADER_BYTES);
            app_reset_if_wanted();
        }
        app_check_stack();
    }
}
