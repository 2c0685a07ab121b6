/* WRITE, READ, DIGEST. */
#include "features.h"
#include "handlers.h"
#include "objects.h"

#define ADDRESS_BYTES 7u /* object u8, index u16, offset u32 */

static void parse_address(app_range_t *range, const uint8_t *payload) {
    range->object = payload[0];
    range->index = app_get_u16(payload + 1);
    range->offset = app_get_u32(payload + 3);
}

bp_status_t app_write(app_call_t *call) {
    app_range_t range;
    if (call->n < ADDRESS_BYTES) {
        return BP_E_LENGTH;
    }
    parse_address(&range, call->payload);
    range.n = (uint32_t)call->n - ADDRESS_BYTES;
    if (range.object == BP_OBJ_IMAGE) {
        return BP_E_UNKNOWN;
    }
    BP_TRY(app_check_range(&range));
    app_copy_in(&range, call->payload + ADDRESS_BYTES);
    return BP_OK;
}

bp_status_t app_read(app_call_t *call) {
    app_range_t range;
    if (call->n != ADDRESS_BYTES + 2) {
        return BP_E_LENGTH;
    }
    parse_address(&range, call->payload);
    range.n = app_get_u16(call->payload + ADDRESS_BYTES);
    if (range.n > APP_ANSWER_BYTES) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_check_range(&range));
    call->n_answer = (uint16_t)range.n;
    app_copy_out(call->payload, &range);
    return BP_OK;
}

bp_status_t app_digest(app_call_t *call) {
    app_range_t range;
    if (call->n != ADDRESS_BYTES + 4) {
        return BP_E_LENGTH;
    }
    parse_address(&range, call->payload);
    range.n = app_get_u32(call->payload + ADDRESS_BYTES);
    BP_TRY(app_check_range(&range));
    app_put_u32(call->payload, app_crc_of(&range));
    call->n_answer = 4;
    return BP_OK;
}
