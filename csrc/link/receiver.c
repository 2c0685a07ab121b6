/* From bytes of the wire to frames. A zero ends a frame and begins the next, so that after any
 * garbage the first whole frame is found again. */
#include <byteprop/crc32.h>
#include <byteprop/link.h>

#define FRAME_MIN_BYTES (BP_LINK_HEADER_BYTES + BP_LINK_CRC_BYTES)

static uint16_t get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | (uint16_t)((uint16_t)p[1] << 8));
}

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

void bp_receiver_init(bp_receiver_t *receiver, uint8_t *buffer, uint16_t capacity) {
    receiver->buffer = buffer;
    receiver->capacity = capacity;
    receiver->used = 0;
    receiver->overflow = 0;
    receiver->frames = 0;
    receiver->bad_frames = 0;
}

/* Decodes the n bytes collected in the buffer in place; 1 when they are a frame. */
static int parse(uint8_t *buffer, uint16_t n, bp_frame_t *frame) {
    const uint32_t decoded = bp_cobs_decode(buffer, buffer, n);
    if (decoded > n || decoded < FRAME_MIN_BYTES) {
        return 0;
    }
    const uint16_t checked = (uint16_t)(decoded - BP_LINK_CRC_BYTES);
    if (bp_crc32(0, buffer, checked) != get_u32(buffer + checked)) {
        return 0;
    }
    frame->type = buffer[0];
    frame->aux = buffer[1];
    frame->seq = get_u16(buffer + 2);
    frame->ack = get_u16(buffer + 4);
    frame->payload = buffer + BP_LINK_HEADER_BYTES;
    frame->payload_bytes = (uint16_t)(checked - BP_LINK_HEADER_BYTES);
    return 1;
}

int bp_receiver_feed(bp_receiver_t *receiver, bp_frame_t *frame, uint8_t byte) {
    if (byte != 0) {
        if (receiver->used == receiver->capacity) {
            receiver->overflow = 1;
        } else {
            receiver->buffer[receiver->used++] = byte;
        }
        return 0;
    }
    const uint16_t n = receiver->used;
    const int good = n != 0 && !receiver->overflow && parse(receiver->buffer, n, frame);
    receiver->used = 0;
    receiver->overflow = 0;
    if (good) {
        receiver->frames++;
    } else if (n != 0) {
        receiver->bad_frames++;
    }
    return good;
}
