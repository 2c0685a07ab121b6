/* The link: frames over any byte stream. docs/protocol.md is the specification; this header is the
 * one source of its numbers. The codec owns no UART.
 *
 * On the wire:  00 | COBS(header | payload | CRC-32) | 00
 * header (6 bytes): type u8, aux u8, seq u16, ack u16.  CRC-32 as zlib's, over header and payload.
 * All numbers little-endian. */
#ifndef BYTEPROP_LINK_H
#define BYTEPROP_LINK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
#define BP_LINK_VERSION 1
#define BP_LINK_HEADER_BYTES 6
#define BP_LINK_CRC_BYTES 4

/* Requests, host to board; BP_REQUEST_LIST below has their handlers. An answer has the request's type | BP_MSG_ANSWER and its seq, and its
 * payload begins with a status byte (bp_status_t). */
enum {
    BP_MSG_HELLO = 0x01,      /* version u8, session u32 -> see BP_HELLO below; seq is 0 */
    BP_MSG_ECHO = 0x02,       /* bytes -> bytes */
    BP_MSG_RESET = 0x03,      /* -> then the board resets itself */
    BP_MSG_STATS = 0x04,      /* -> bp_link counters and stack, all u32: frames received, bad frames
                                 (CRC, COBS or length), repeated requests, rx ring overruns,
                                 least free stack bytes, stack bytes */
    BP_MSG_SYNC = 0x05,       /* -> nothing; outside the sequence: seq is any number, answered with
                                 the same. Everything sent before it has been handled by then */
    BP_MSG_LOAD_BEGIN = 0x10, /* image bytes u32, image crc u32 (as in its header) -> next offset
                                 u32; the same pair as an earlier load resumes where that stopped */
    BP_MSG_LOAD_DATA = 0x11,  /* offset u32, bytes -> next offset u32; offset may not leave a gap */
    BP_MSG_LOAD_END = 0x12,   /* -> as SELECT */
    BP_MSG_SELECT = 0x13,     /* source u8 (BP_SOURCE_x) -> image crc u32, arena bytes u32,
                                 input bytes u32, output bytes u32, n_ops u16 */
    BP_MSG_WRITE = 0x20,      /* object u8, index u16, offset u32, bytes -> */
    BP_MSG_READ = 0x21,       /* object u8, index u16, offset u32, length u16 -> bytes */
    BP_MSG_DIGEST = 0x22,     /* object u8, index u16, offset u32, length u32 -> crc u32 */
    BP_MSG_INFER = 0x23,      /* n_ops u16 (0xFFFF: all) -> ticks u32, crc of all outputs u32 (0 when
                                 n_ops is not all), then the output bytes when they fit the answer
                                 slot and n_ops is all */
    BP_MSG_PROFILE = 0x24,    /* first op u16 -> ticks u32 of each op from there on, as many as fit
                                 the answer slot; runs all ops over the inputs just written */
    BP_MSG_RESET_STATE = 0x25, /* -> nothing; the selected model's state is as before the first
                                 inference, as it is after SELECT */
    BP_MSG_ANOMALY_BEGIN = 0x2A, /* bp_anomaly_config_t, 8 bytes; a detector that has learnt nothing
                                 watches the selected model's inputs -> nothing */
    BP_MSG_ANOMALY_LEARN = 0x2B, /* runs the model on the inputs just written, of a machine in order,
                                 and learns from the score -> score u64, ticks u32, scores learnt
                                 from so far u32 */
    BP_MSG_ANOMALY_JUDGE = 0x2C, /* the same, and judges the score -> score u64, ticks u32, then as in
                                 bp_anomaly_verdict_t above u8, votes u8, alarm u8, drifts u8 */
    BP_MSG_TRAIN_BEGIN = 0x30, /* configuration, 16 bytes as BP_TRAIN_CONFIG_x below -> memory bytes
                                 u32, state bytes u32. The selected model's image is copied to RAM if
                                 it is not there. E_UNSUPPORTED and E_PARAM: op index u16 */
    BP_MSG_TRAIN = 0x31,      /* rate u32 (2^-24), label u16 or targets int32 each; learns from the
                                 inputs that were written -> loss u64, predicted u16, correct u8,
                                 steps u32, ticks u32 */
    BP_MSG_EVALUATE = 0x32,   /* label u16 or targets int32 each -> as TRAIN; learns nothing */
    BP_MSG_TRAIN_END = 0x33,  /* -> image crc u32; does the update of a batch that is not full and
                                 renews the image's checksum */
    BP_MSG_REMEMBER = 0x38,   /* label u16; keeps the features of the inputs that were written -> */
    BP_MSG_REHEARSE = 0x39,   /* rate u32 (2^-24); learns from one that is kept -> as TRAIN */
    BP_MSG_IMPRINT = 0x3A,    /* class u16; its row is made from what is kept -> */
    BP_MSG_REMOVE = 0x3B,     /* class u16; takes it out of use -> */
    BP_MSG_HOLD = 0x3C,       /* label u16; as REMEMBER, but nothing learns from them -> */
    BP_MSG_CHECK = 0x3D,      /* judges those -> bp_train_check_t: loss u32, waited u32, held u16,
                                 correct u16; then steps u32, ticks u32 */
    BP_MSG_SAVE = 0x40,       /* image, configuration, state and detector to flash -> sequence u32, image bytes
                                 u32, state bytes u32, crc of all of it u32, samples u32, slot u8 */
    BP_MSG_RESTORE = 0x41,    /* the last whole save back to RAM, to go on training -> as SAVE */
    BP_MSG_SAVE_INFO = 0x42,  /* what RESTORE would bring back -> as SAVE */
    BP_MSG_TEST_FAULT = 0x6F, /* cause u8 (BP_FAULT_x): provokes it; or BP_TEST_CUT, n u32: resets
                                 before the n-th flash operation from now on; only in firmware built
                                 with BP_APP_TEST_FAULTS */
    BP_MSG_ANSWER = 0x80      /* bit of an answer's type; so a request's type is below 0x70 */
};

/* Board to host, unasked. ack is the next seq the board expects. seq of NACK and NO_SESSION is that
 * of the request they refuse, else 0. */
enum {
    BP_MSG_NACK = 0xF0,       /* a request with seq > expected arrived, or no answer slot is free:
                                 go back to ack; sent once until a request is accepted again */
    BP_MSG_NO_SESSION = 0xF1, /* a request arrived without a HELLO since reset */
    BP_MSG_HEARTBEAT = 0xF2,  /* busy, op index u16 */
    BP_MSG_FAULT = 0xF3       /* cause u8 (BP_FAULT_x), program counter u32, address u32; the board
                                 resets itself afterwards. ASSERT: crc of the source file's name
                                 (without folders) instead of the counter, line for the address */
};

/* Objects of WRITE, READ and DIGEST. */
enum {
    BP_OBJ_INPUTS = 0,  /* all inputs, one after the other; index 0 */
    BP_OBJ_OUTPUTS = 1, /* all outputs, one after the other; index 0 */
    BP_OBJ_TENSOR = 2,  /* tensor by index, in the arena */
    BP_OBJ_IMAGE = 3,   /* the selected model image; index 0; not writable */
    BP_OBJ_TRAIN_STATE = 4, /* state of training, counters first; index 0 */
    BP_OBJ_DETECTOR = 5     /* bp_anomaly_t, checked when it is next used; index 0 */
};

/* Bytes of TRAIN_BEGIN: bp_train_config_t as 32-bit machines lay it out. The rest is 0. */
enum {
    BP_TRAIN_CONFIG_SEED = 0,     /* u32 */
    BP_TRAIN_CONFIG_FROZEN = 4,   /* u32 */
    BP_TRAIN_CONFIG_BATCH = 8,    /* u16 */
    BP_TRAIN_CONFIG_WINDOW = 10,  /* u16 */
    BP_TRAIN_CONFIG_FLAGS = 12,   /* u8 */
    BP_TRAIN_CONFIG_MOMENTUM = 13, /* u8 */
    BP_TRAIN_CONFIG_KEPT = 14,    /* u16 */
    BP_TRAIN_CONFIG_RATE = 16,     /* u8 */
    BP_TRAIN_CONFIG_CONVS = 17     /* u8 */
};

enum { BP_SOURCE_FLASH = 0, BP_SOURCE_RAM = 1 };

/* The pool of an uploaded model: the image at its front, the arena at the next multiple of this, and
 * the memory of training at the next multiple of 4. */
#define BP_POOL_ALIGNMENT 16

enum {
    BP_FAULT_HARD = 1,   /* hard fault, bus fault, illegal instruction, trap */
    BP_FAULT_ASSERT = 2, /* an assertion of the library failed */
    BP_FAULT_STACK = 3   /* the stack left its bounds */
};
enum { BP_TEST_CUT = 0x10 };

/* What bp_port_ticks counts. */
enum { BP_TICK_NONE = 0, BP_TICK_CYCLES = 1, BP_TICK_TIMER = 2, BP_TICK_INSTRUCTIONS = 3 };

/* E_SPACE is followed by: bytes needed u32, bytes of the pool u32. */

/* Payload of an answer to HELLO (after the common rule: status first):
 *  0 status u8            1 protocol version u8     2 session u32 (as requested)
 *  6 build id u64        14 largest payload u16    16 receive window u16 (bytes on the wire that
 *                                                     may be unanswered)
 * 18 answer slots u8     19 tick kind u8           20 tick clock u32 (Hz)
 * 24 RAM u32             28 flash u32              32 pool u32 (uploaded image + arena)
 * 36 crc of the model in flash u32 (0: none)       40 crc of the selected model u32 (0: none)
 * 44 payload of an answer slot u16
 * 46 n u8                n bytes: the ops that it has, bit code % 8 of byte code / 8
 * then name of the board, 0, name of the CPU, 0 */
enum { BP_HELLO_FEATURES = 46 };

/* COBS. Encodes n bytes to at most n + n / 254 + 1 bytes without a zero; returns how many. dst and
 * src must not overlap. */
uint32_t bp_cobs_encode(uint8_t *dst, const uint8_t *src, uint32_t n);
/* Decodes in place is allowed (dst == src). Returns the decoded length, or 0xFFFFFFFF when src is
 * not COBS. */
uint32_t bp_cobs_decode(uint8_t *dst, const uint8_t *src, uint32_t n);
/* cdef: end */

/* The requests that are numbered and executed: X(name, handler, PURE or CHANGES, feature). PURE ones
 * leave everything as it was, so they may be executed again. feature: of the firmware that has it.
 * HELLO and SYNC are not among them: they belong to the session itself. */
#define BP_REQUEST_LIST(X)                                                                         \
    X(ECHO, echo, PURE, ALWAYS)                                                                    \
    X(RESET, reset, CHANGES, ALWAYS)                                                               \
    X(STATS, stats, PURE, ALWAYS)                                                                  \
    X(LOAD_BEGIN, load_begin, CHANGES, LOADS)                                                      \
    X(LOAD_DATA, load_data, CHANGES, LOADS)                                                        \
    X(LOAD_END, load_end, CHANGES, LOADS)                                                          \
    X(SELECT, select, CHANGES, ALWAYS)                                                             \
    X(WRITE, write, CHANGES, ALWAYS)                                                               \
    X(READ, read, PURE, ALWAYS)                                                                    \
    X(DIGEST, digest, PURE, ALWAYS)                                                                \
    X(INFER, infer, CHANGES, ALWAYS)                                                               \
    X(PROFILE, profile, CHANGES, ALWAYS)                                                           \
    X(RESET_STATE, reset_state, CHANGES, ALWAYS)                                                   \
    X(ANOMALY_BEGIN, anomaly_begin, CHANGES, DETECTS)                                              \
    X(ANOMALY_LEARN, anomaly_learn, CHANGES, DETECTS)                                              \
    X(ANOMALY_JUDGE, anomaly_judge, CHANGES, DETECTS)                                              \
    X(TRAIN_BEGIN, train_begin, CHANGES, TRAINS)                                                   \
    X(TRAIN, train, CHANGES, TRAINS)                                                               \
    X(EVALUATE, evaluate, CHANGES, TRAINS)                                                         \
    X(TRAIN_END, train_end, CHANGES, TRAINS)                                                       \
    X(REMEMBER, remember, CHANGES, KEEPS)                                                          \
    X(REHEARSE, rehearse, CHANGES, KEEPS)                                                          \
    X(IMPRINT, imprint, CHANGES, KEEPS)                                                            \
    X(REMOVE, remove, CHANGES, KEEPS)                                                              \
    X(HOLD, hold, CHANGES, KEEPS)                                                                  \
    X(CHECK, check, CHANGES, KEEPS)                                                                \
    X(SAVE, save, CHANGES, SAVES)                                                                  \
    X(RESTORE, restore, CHANGES, SAVES)                                                            \
    X(SAVE_INFO, save_info, CHANGES, SAVES)                                                        \
    X(TEST_FAULT, test_fault, CHANGES, TESTS)

/* cdef: begin */
/* 1 when the board may execute a request of this type again. */
int bp_request_is_pure(uint8_t type);
/* "ECHO", "INFER", ...; "?" for a type that BP_REQUEST_LIST does not contain. */
const char *bp_request_name(uint8_t type);
/* cdef: end */

/* A frame without its delimiters; payload is not copied. */
typedef struct {
    uint8_t type;
    uint8_t aux; /* board to host: free answer slots; else 0 */
    uint16_t seq;
    uint16_t ack;
    const uint8_t *payload;
    uint16_t payload_bytes;
} bp_frame_t;

/* Collects bytes from the wire until a frame is whole. */
typedef struct {
    uint8_t *buffer; /* the caller's */
    uint16_t capacity;
    uint16_t used;
    uint8_t overflow;
    uint32_t frames;     /* good ones */
    uint32_t bad_frames; /* wrong CRC, wrong COBS, too short or too long */
} bp_receiver_t;

/* Begins with nothing received. capacity: bytes of the longest frame, encoded. */
void bp_receiver_init(bp_receiver_t *receiver, uint8_t *buffer, uint16_t capacity);
/* Feeds one byte. Returns 1 when it completed a good frame; frame then points into the buffer until
 * the next call. Bad frames are counted and dropped. */
int bp_receiver_feed(bp_receiver_t *receiver, bp_frame_t *frame, uint8_t byte);

/* Sends a frame through write (called with pieces of at most 255 bytes), without a buffer of its
 * own: header, payload and CRC are read in place. */
void bp_frame_send(const bp_frame_t *frame, void (*write)(const uint8_t *data, uint16_t n));

#ifdef __cplusplus
}
#endif
#endif
