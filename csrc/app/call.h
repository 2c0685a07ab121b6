/* A request while it is executed. */
#ifndef BYTEPROP_APP_CALL_H
#define BYTEPROP_APP_CALL_H

#include <byteprop/status.h>
#include <stdint.h>

#include "bytes.h"

/* The answer is built where the request's payload is, so a handler reads its arguments before it
 * writes. The status travels in front of payload[0]. */
typedef struct {
    uint8_t *payload;
    uint16_t n;        /* bytes of the request's payload */
    uint16_t n_answer; /* bytes of the answer's data; 0 on entry */
} app_call_t;

/* Most data bytes of an answer: of one that is sent again from its slot, and of any. */
#define APP_KEPT_BYTES (BP_LINK_SLOT_BYTES - 1u)
#define APP_ANSWER_BYTES (BP_LINK_MAX_PAYLOAD - 1u)

/* Answers E_SPACE with its numbers. */
bp_status_t app_no_space(app_call_t *call, uint32_t needed, uint32_t available);

#endif
