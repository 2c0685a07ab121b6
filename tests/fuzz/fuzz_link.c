/* The codec of the link: any bytes into the receiver, at several capacities; what comes out as a
 * frame must lie in the buffer and survive a round trip through the sender. */
#include <byteprop/link.h>
#include <string.h>

#include "fuzz_common.h"

enum { MAX_WIRE_BYTES = 1 << 16 };

static uint8_t wire[MAX_WIRE_BYTES * 2];
static uint32_t wire_bytes;

static void write_wire(const uint8_t *data, uint16_t n) {
    if (n > 255 || n > sizeof wire - wire_bytes) {
        abort();
    }
    memcpy(wire + wire_bytes, data, n);
    wire_bytes += n;
}

static void round_trip(const bp_frame_t *frame) {
    wire_bytes = 0;
    bp_frame_send(frame, write_wire);
    check(wire_bytes >= 2 && wire[0] == 0 && wire[wire_bytes - 1] == 0);
    uint8_t *buffer = malloc(wire_bytes);
    bp_receiver_t receiver;
    bp_frame_t again;
    bp_receiver_init(&receiver, buffer, (uint16_t)wire_bytes);
    for (uint32_t i = 0; i < wire_bytes; ++i) {
        const int whole = bp_receiver_feed(&receiver, &again, wire[i]);
        check(whole == (i == wire_bytes - 1));
    }
    check(again.type == frame->type && again.aux == frame->aux && again.seq == frame->seq);
    check(again.ack == frame->ack && again.payload_bytes == frame->payload_bytes);
    check(memcmp(again.payload, frame->payload, frame->payload_bytes) == 0);
    free(buffer);
}

static void receive(const uint8_t *data, size_t size, uint16_t capacity) {
    bp_receiver_t receiver;
    bp_frame_t frame;
    uint8_t *buffer = malloc(capacity);
    bp_receiver_init(&receiver, buffer, capacity);
    for (size_t i = 0; i < size; ++i) {
        if (bp_receiver_feed(&receiver, &frame, data[i])) {
            check(frame.payload >= buffer && frame.payload_bytes <= capacity);
            check(frame.payload + frame.payload_bytes <= buffer + capacity);
            round_trip(&frame);
        }
    }
    free(buffer);
}

static void cobs(const uint8_t *data, uint32_t size) {
    const uint32_t most = size + size / 254 + 1;
    uint8_t *encoded = malloc(most);
    uint8_t *decoded = malloc(most);
    const uint32_t n = bp_cobs_encode(encoded, data, size);
    check(n <= most && memchr(encoded, 0, n) == NULL);
    check(bp_cobs_decode(decoded, encoded, n) == size);
    check(size == 0 || memcmp(decoded, data, size) == 0);
    free(decoded);
    free(encoded);
    /* And the input itself as if it came from a wire, in place. */
    uint8_t *garbage = malloc(size + 1);
    memcpy(garbage, data, size);
    const uint32_t length = bp_cobs_decode(garbage, garbage, size);
    check(length == 0xFFFFFFFFu || length <= size);
    free(garbage);
}

/* The input as the header and payload of a frame, so that frames with a right checksum come too. */
static void framed(const uint8_t *data, size_t size) {
    if (size < BP_LINK_HEADER_BYTES) {
        return;
    }
    const bp_frame_t frame = {
        .type = data[0],
        .aux = data[1],
        .seq = (uint16_t)(data[2] | data[3] << 8),
        .ack = (uint16_t)(data[4] | data[5] << 8),
        .payload = data + BP_LINK_HEADER_BYTES,
        .payload_bytes = (uint16_t)(size - BP_LINK_HEADER_BYTES),
    };
    round_trip(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > MAX_WIRE_BYTES - 1024) {
        return 0;
    }
    receive(data, size, 16);
    receive(data, size, 300);
    receive(data, size, 65535);
    cobs(data, (uint32_t)size);
    framed(data, size);
    return 0;
}
