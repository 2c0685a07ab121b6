/* RESET_STATE. State is read and written as tensors are. */
#include <byteprop/infer.h>

#include "handlers.h"
#include "pool.h"

bp_status_t app_reset_state(app_call_t *call) {
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    if (app_model() == NULL) {
        return BP_E_NO_MODEL;
    }
    bp_infer_reset(app_model(), app_selected.arena);
    return BP_OK;
}
