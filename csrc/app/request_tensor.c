/* WRITE, READ, DIGEST. */
#include "features.h"
#include "handlers.h"
#include "objects.h"
#include "pool.h"

#define ADDRESS_BYTES 7u /* object u8, index u16, offset u32 */

static void parse_address(app_range_t *range, const uint8_t *payload) {
    range->object = payload[0];
    range->index = app_get_u16(payload + 1);
    range->offset = app_get_u32(payload + 3);
}

#if APP_HAS_ROWS
/* The next bytes of the input, or the first ones of another. */
static bp_status_t feed(const app_range_t *range, const uint8_t *bytes) {
    if (range->index != 0 || range->n > app_selected.input_bytes ||
        range->offset > app_selected.input_bytes - range->n) {
        return BP_E_RANGE;
    }
    if (range->offset == 0) {
        app_selected.fed = 0;
        app_selected.feed_ticks = 0;
    }
    if (range->offset != app_selected.fed) {
        return BP_E_STATE;
    }
    const uint32_t begin = bp_port_ticks();
    app_selected.fed =
        bp_infer_feed(app_model(), app_selected.arena, range->offset, bytes, range->n);
    app_selected.feed_ticks += bp_port_ticks() - begin;
    return BP_OK;
}
#endif

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
#if APP_HAS_ROWS
    if (range.object == BP_OBJ_INPUTS && app_model() != NULL && app_selected.is_fed) {
        return feed(&range, call->payload + ADDRESS_BYTES);
    }
#endif
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
