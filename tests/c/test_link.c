/* The link's codec: bufferless sending equals encoding, the receiver takes what was sent and
 * nothing else, and never writes beyond its buffer. */
#include <byteprop/crc32.h>
#include <byteprop/link.h>
#include <string.h>

#include "check.h"

#define MAX_PAYLOAD 700u
#define MAX_FRAME (BP_LINK_HEADER_BYTES + MAX_PAYLOAD + BP_LINK_CRC_BYTES)
#define MAX_WIRE (MAX_FRAME + MAX_FRAME / 254 + 1)

static uint8_t wire[4 * MAX_WIRE];
static uint32_t wire_bytes;

static void to_wire(const uint8_t *data, uint16_t n) {
    CHECK(n > 0 && n <= 255);
    CHECK(wire_bytes + n <= sizeof wire);
    memcpy(wire + wire_bytes, data, n);
    wire_bytes += n;
}

/* Payloads with none, some and only zeros. */
static void fill(uint8_t *payload, uint16_t n) {
    const uint32_t style = random_below(4);
    for (uint16_t i = 0; i < n; i++) {
        const uint8_t byte = (uint8_t)random_u32();
        payload[i] = style == 0 ? 0 : style == 1 ? (uint8_t)(byte | 1) : byte;
        if (style == 2 && random_below(3) == 0) {
            payload[i] = 0;
        }
    }
}

static bp_frame_t any_frame(uint8_t *payload) {
    const uint32_t r = random_u32();
    const uint16_t n = (uint16_t)random_below(random_below(2) ? 20 : MAX_PAYLOAD + 1);
    const bp_frame_t frame = {
        (uint8_t)r, (uint8_t)(r >> 8), (uint16_t)(r >> 16), (uint16_t)random_u32(), payload, n};
    fill(payload, n);
    return frame;
}

static uint32_t encode(uint8_t *dst, const bp_frame_t *frame) {
    uint8_t raw[MAX_FRAME];
    const uint32_t checked = BP_LINK_HEADER_BYTES + (uint32_t)frame->payload_bytes;
    const uint8_t header[] = {frame->type,         frame->aux,
                              (uint8_t)frame->seq, (uint8_t)(frame->seq >> 8),
                              (uint8_t)frame->ack, (uint8_t)(frame->ack >> 8)};
    memcpy(raw, header, sizeof header);
    memcpy(raw + sizeof header, frame->payload, frame->payload_bytes);
    const uint32_t crc = bp_crc32(0, raw, checked);
    for (uint32_t i = 0; i < 4; i++) {
        raw[checked + i] = (uint8_t)(crc >> (8 * i));
    }
    return bp_cobs_encode(dst, raw, checked + 4);
}

static void check_sent_is_encoded(const bp_frame_t *frame) {
    uint8_t encoded[MAX_WIRE];
    wire_bytes = 0;
    bp_frame_send(frame, to_wire);
    const uint32_t n = encode(encoded, frame);
    CHECK_EQ(wire_bytes, n + 2);
    CHECK_EQ(wire[0], 0);
    CHECK_EQ(wire[n + 1], 0);
    CHECK(memcmp(wire + 1, encoded, n) == 0);
}

static void check_received(bp_receiver_t *receiver, const bp_frame_t *sent) {
    bp_frame_t got;
    int frames = 0;
    for (uint32_t i = 0; i < wire_bytes; i++) {
        frames += bp_receiver_feed(receiver, &got, wire[i]);
    }
    CHECK_EQ(frames, 1);
    CHECK(got.type == sent->type && got.aux == sent->aux);
    CHECK(got.seq == sent->seq && got.ack == sent->ack);
    CHECK_EQ(got.payload_bytes, sent->payload_bytes);
    CHECK(memcmp(got.payload, sent->payload, sent->payload_bytes) == 0);
}

/* The standard's check value, and the same read from ROM. */
static void check_crc(void) {
    const uint8_t digits[] = "123456789";
    CHECK_EQ(bp_crc32(0, digits, 9), 0xCBF43926u);
    CHECK_EQ(bp_crc32(bp_crc32(0, digits, 4), digits + 4, 5), 0xCBF43926u);
    CHECK_EQ(bp_crc32_rom(0, digits, 9), 0xCBF43926u);
    CHECK_EQ(bp_crc32(0, digits, 0), 0);
}

static void check_too_long_is_dropped(void) {
    uint8_t *buffer = exact_bytes(20);
    bp_receiver_t receiver;
    bp_frame_t frame;
    bp_receiver_init(&receiver, buffer, 20);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(bp_receiver_feed(&receiver, &frame, 1), 0);
    }
    CHECK_EQ(bp_receiver_feed(&receiver, &frame, 0), 0);
    CHECK_EQ(receiver.bad_frames, 1);
    const bp_frame_t small = {1, 2, 3, 4, (const uint8_t *)"hello", 5};
    wire_bytes = 0;
    bp_frame_send(&small, to_wire);
    check_received(&receiver, &small);
    CHECK_EQ(receiver.frames, 1);
    free(buffer);
}

/* Bits turned on the wire are noticed, also those of the delimiters and of COBS's codes. */
static void check_damage_is_noticed(const bp_frame_t *sent, uint8_t *buffer) {
    bp_receiver_t receiver;
    bp_frame_t got;
    bp_receiver_init(&receiver, buffer, MAX_WIRE);
    const uint32_t at = 1 + random_below(wire_bytes - 2);
    wire[at] ^= (uint8_t)(1u << random_below(8));
    for (uint32_t i = 0; i < wire_bytes; i++) {
        CHECK_EQ(bp_receiver_feed(&receiver, &got, wire[i]), 0);
    }
    CHECK(receiver.bad_frames > 0);
    wire_bytes = 0;
    bp_frame_send(sent, to_wire);
    check_received(&receiver, sent);
}

static void check_any_bytes_are_harmless(uint8_t *buffer) {
    bp_receiver_t receiver;
    bp_frame_t frame;
    bp_receiver_init(&receiver, buffer, MAX_WIRE);
    for (int i = 0; i < 200000; i++) {
        const uint32_t r = random_u32();
        (void)bp_receiver_feed(&receiver, &frame, (uint8_t)(r & 1 ? r >> 8 : r >> 30));
    }
    CHECK(receiver.bad_frames > 1000);
    CHECK_EQ(receiver.frames, 0);
}

int main(void) {
    uint8_t payload[MAX_PAYLOAD];
    uint8_t *buffer = exact_bytes(MAX_WIRE);
    bp_receiver_t receiver;
    check_crc();
    check_too_long_is_dropped();
    bp_receiver_init(&receiver, buffer, MAX_WIRE);
    for (int i = 0; i < 5000; i++) {
        const bp_frame_t frame = any_frame(payload);
        check_sent_is_encoded(&frame);
        check_received(&receiver, &frame);
        check_damage_is_noticed(&frame, buffer);
    }
    check_any_bytes_are_harmless(buffer);
    free(buffer);
    return 0;
}
