/* Sending a frame without a buffer: the groups of COBS are found by looking ahead over header,
 * payload and CRC where they lie, and written from there. */
#include <byteprop/crc32.h>
#include <byteprop/link.h>

#define MAX_GROUP_BYTES 254u
#define N_PARTS 3

typedef struct {
    const uint8_t *data;
    uint16_t n;
} part_t;

typedef void write_t(const uint8_t *data, uint16_t n);

static void put_u16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *p, uint32_t value) {
    put_u16(p, (uint16_t)value);
    put_u16(p + 2, (uint16_t)(value >> 16));
}

/* Length of the next group: bytes up to a zero, the end, or the largest group. */
static uint8_t group_bytes(const part_t *parts, uint8_t *ends_in_zero) {
    uint8_t n = 0;
    *ends_in_zero = 0;
    for (uint8_t part = 0; part < N_PARTS; part++) {
        for (uint16_t i = 0; i < parts[part].n; i++) {
            if (n == MAX_GROUP_BYTES) {
                return n;
            }
            if (parts[part].data[i] == 0) {
                *ends_in_zero = 1;
                return n;
            }
            n++;
        }
    }
    return n;
}

/* Moves n bytes from the front of the parts to the wire, or drops them when write is NULL. */
static void take(part_t *parts, uint8_t n, write_t *write) {
    for (uint8_t part = 0; part < N_PARTS && n != 0; part++) {
        const uint16_t now = parts[part].n < n ? parts[part].n : n;
        if (now == 0) {
            continue; /* an empty payload may be NULL, to which nothing may be added */
        }
        if (write != NULL) {
            write(parts[part].data, now);
        }
        parts[part].data += now;
        parts[part].n = (uint16_t)(parts[part].n - now);
        n = (uint8_t)(n - now);
    }
}

static uint16_t left(const part_t *parts) {
    return (uint16_t)(parts[0].n + parts[1].n + parts[2].n);
}

void bp_frame_send(const bp_frame_t *frame, void (*write)(const uint8_t *data, uint16_t n)) {
    static const uint8_t delimiter = 0;
    uint8_t header[BP_LINK_HEADER_BYTES];
    uint8_t crc[BP_LINK_CRC_BYTES];
    header[0] = frame->type;
    header[1] = frame->aux;
    put_u16(header + 2, frame->seq);
    put_u16(header + 4, frame->ack);
    put_u32(crc,
            bp_crc32(bp_crc32(0, header, sizeof header), frame->payload, frame->payload_bytes));
    part_t parts[N_PARTS] = {
        {header, sizeof header}, {frame->payload, frame->payload_bytes}, {crc, sizeof crc}};

    write(&delimiter, 1);
    uint8_t ends_in_zero;
    do {
        const uint8_t n = group_bytes(parts, &ends_in_zero);
        const uint8_t code = (uint8_t)(n + 1);
        write(&code, 1);
        take(parts, n, write);
        take(parts, ends_in_zero, NULL);
        /* A zero that was the last byte leaves an empty last group to say so. */
    } while (left(parts) != 0 || ends_in_zero);
    write(&delimiter, 1);
}
