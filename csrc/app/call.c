#include "call.h"

bp_status_t app_no_space(app_call_t *call, uint32_t needed, uint32_t available) {
    app_put_u32(call->payload, needed);
    app_put_u32(call->payload + 4, available);
    call->n_answer = 8;
    return BP_E_SPACE;
}
