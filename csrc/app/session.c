/* Sessions and exactly-once: requests are numbered from 1, executed in order, and the last answers
 * are kept, so that a request whose answer was lost is answered again and not executed again. */
#include "session.h"

#include "bytes.h"
#include "fault.h"
#include "features.h"
#include "frames.h"
#include "pool.h"
#include "request.h"

#define NOT_KEPT 0xFFFFu /* longer than a slot, of a pure request: may be executed again ... */
#define STALE 0xFFFEu    /* ... but not after something has changed */

typedef struct {
    uint16_t seq;
    uint16_t n; /* bytes of the answer with its status; 0: slot not used */
    uint8_t payload[BP_LINK_SLOT_BYTES];
} slot_t;

static struct {
    uint32_t id;
    uint16_t answered; /* every answer before this one has reached the host */
    uint8_t is_open;
    uint8_t gap_reported;
    uint8_t next_slot;
} session;
static slot_t bp_app_slots[BP_LINK_SLOTS];

#define NAME_BYTES (sizeof BP_BOARD_NAME + sizeof BP_BOARD_CPU)
#if BP_APP_GIVEN
#define POOL_BYTES_KNOWN 0
#else
#define POOL_BYTES_KNOWN BP_POOL_BYTES
#endif
#define U16(value) (uint8_t)((value)&0xFFu), (uint8_t)((value) >> 8 & 0xFFu)
#define U32(value) U16((uint32_t)(value)), U16((uint32_t)(value) >> 16)

/* The answer to HELLO: all of it but what put_hello fills in, which is 0 here. */
static const struct {
    uint8_t fields[BP_HELLO_FEATURES + 1];
    uint8_t ops[BP_OP_FEATURES_BYTES];
    char names[NAME_BYTES];
} hello_table BP_TABLE = {
    {
        0, BP_LINK_VERSION, U32(0), U32(BP_BUILD_ID), U32((uint64_t)(BP_BUILD_ID) >> 32),
        U16(BP_LINK_MAX_PAYLOAD), U16(BP_LINK_RX_WINDOW), BP_LINK_SLOTS, BP_TICK_KIND,
        U32(BP_TICK_HZ), U32(BP_RAM_BYTES), U32(BP_FLASH_BYTES), U32(POOL_BYTES_KNOWN), U32(0), U32(0),
        U16(BP_LINK_SLOT_BYTES), BP_OP_FEATURES_BYTES,
    },
    {0},
    BP_BOARD_NAME "\0" BP_BOARD_CPU,
};

/* Compile-time checks; an array of negative size does not compile. */
typedef char hello_fits_a_frame[sizeof hello_table <= BP_LINK_MAX_PAYLOAD ? 1 : -1];
typedef char slot_holds_select[BP_LINK_SLOT_BYTES >= 20 ? 1 : -1];
typedef char slot_is_no_frame[BP_LINK_SLOT_BYTES <= BP_LINK_MAX_PAYLOAD ? 1 : -1];

static uint8_t free_slots(void) {
    return (uint8_t)(BP_LINK_SLOTS - (uint16_t)(app_expected - session.answered));
}

static void send_answer(uint8_t type, uint16_t seq, const uint8_t *payload, uint16_t n) {
    app_send((uint8_t)(type | BP_MSG_ANSWER), free_slots(), seq, payload, n);
}

static void open_session(uint32_t id) {
    session.id = id;
    session.is_open = 1;
    app_expected = 1;
    session.answered = 1;
    session.gap_reported = 0;
    for (uint8_t i = 0; i < BP_LINK_SLOTS; i++) {
        bp_app_slots[i].n = 0;
    }
}

static void put_hello(uint8_t *p, bp_status_t status, uint32_t id) {
    const bp_model_t *model = app_model();
    const uint8_t *table = (const uint8_t *)&hello_table;
    for (uint8_t i = 0; i < sizeof hello_table; i++) {
        p[i] = BP_TABLE_U8(table + i);
    }
    p[0] = (uint8_t)status;
    app_put_u32(p + 2, id);
#if BP_APP_GIVEN
    app_put_u32(p + 32, APP_CAN_LOAD ? APP_POOL_BYTES : 0);
#endif
    app_put_u32(p + 36, app_flash_model_crc());
    app_put_u32(p + 40, model != NULL ? model->crc32 : 0);
    bp_op_features(p + BP_HELLO_FEATURES + 1, BP_OP_FEATURES_BYTES);
}

/* HELLO of the same session keeps its state: only the answer was lost. */
static void hello(const uint8_t *payload, uint16_t n, uint8_t *answer) {
    bp_status_t status = BP_OK;
    uint32_t id = 0;
    if (n < 1 || payload[0] != BP_LINK_VERSION) {
        status = BP_E_VERSION;
    } else if (n != 5) {
        status = BP_E_LENGTH;
    } else {
        id = app_get_u32(payload + 1);
        if (!session.is_open || session.id != id) {
            open_session(id);
        }
    }
    put_hello(answer, status, id);
    send_answer(BP_MSG_HELLO, 0, answer, sizeof hello_table);
}

/* Executes; the answer is built in front of and over the payload. Returns its length. */
static uint16_t execute(uint8_t type, uint8_t *payload, uint16_t n) {
    app_call_t call = {payload, n, 0};
    payload[-1] = (uint8_t)app_request(type, &call);
    app_check_stack(); /* an answer that the stack ran into is worth nothing */
    return (uint16_t)(call.n_answer + 1);
}

static void forget_what_can_not_be_repeated(void) {
    for (uint8_t i = 0; i < BP_LINK_SLOTS; i++) {
        if (bp_app_slots[i].n == NOT_KEPT) {
            bp_app_slots[i].n = STALE;
        }
    }
}

static void execute_next(uint8_t type, uint8_t *payload, uint16_t n) {
    slot_t *slot = &bp_app_slots[session.next_slot];
    const uint16_t seq = app_expected;
    const uint16_t n_answer = execute(type, payload, n);
    if (!bp_request_is_pure(type)) {
        forget_what_can_not_be_repeated();
    }
    slot->seq = seq;
    slot->n = NOT_KEPT;
    if (n_answer <= BP_LINK_SLOT_BYTES) {
        slot->n = n_answer;
        app_copy(slot->payload, payload - 1, n_answer);
    }
    session.next_slot = (uint8_t)((session.next_slot + 1u) % BP_LINK_SLOTS);
    app_expected++;
    session.gap_reported = 0;
    send_answer(type, seq, payload - 1, n_answer);
}

static void answer_again(uint8_t type, uint16_t seq, uint8_t *payload, uint16_t n) {
    app_repeated++;
    session.gap_reported = 0;
    for (uint8_t i = 0; i < BP_LINK_SLOTS; i++) {
        const slot_t *slot = &bp_app_slots[i];
        if (slot->n == 0 || slot->seq != seq) {
            continue;
        }
        if (slot->n == NOT_KEPT && bp_request_is_pure(type)) {
            const uint16_t n_answer = execute(type, payload, n);
            send_answer(type, seq, payload - 1, n_answer);
        } else if (slot->n >= STALE) {
            payload[-1] = BP_E_STATE;
            send_answer(type, seq, payload - 1, 1);
        } else {
            send_answer(type, seq, slot->payload, slot->n);
        }
        return;
    }
    /* Older than all slots: the host has had its answer long ago. */
}

static void take_ack(uint16_t ack) {
    if ((int16_t)(ack - session.answered) > 0 && (int16_t)(app_expected - ack) >= 0) {
        session.answered = ack;
    }
}

void app_session_frame(const bp_frame_t *frame, uint8_t *payload) {
    if (frame->type == BP_MSG_HELLO) {
        hello(payload, frame->payload_bytes, payload - 1);
        return;
    }
    if (frame->type >= BP_MSG_NACK - BP_MSG_ANSWER) {
        return; /* its answer would look like a NACK; perhaps the line echoes */
    }
    if (!session.is_open) {
        app_send(BP_MSG_NO_SESSION, 0, frame->seq, NULL, 0);
        return;
    }
    take_ack(frame->ack);
    if (frame->type == BP_MSG_SYNC) {
        payload[0] = BP_OK;
        send_answer(BP_MSG_SYNC, frame->seq, payload, 1);
        return;
    }
    const int16_t ahead = (int16_t)(frame->seq - app_expected);
    if (ahead < 0) {
        answer_again(frame->type, frame->seq, payload, frame->payload_bytes);
    } else if (ahead == 0 && free_slots() != 0) {
        execute_next(frame->type, payload, frame->payload_bytes);
    } else if (!session.gap_reported) {
        session.gap_reported = 1;
        app_send(BP_MSG_NACK, free_slots(), frame->seq, NULL, 0);
    }
}
