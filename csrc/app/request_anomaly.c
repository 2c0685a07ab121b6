/* ANOMALY_BEGIN, ANOMALY_LEARN, ANOMALY_JUDGE: the model's answer is compared with its input, which
 * is not sent twice. */
#include "detector.h"
#include "handlers.h"
#include "pool.h"

#if APP_CAN_DETECT

enum { CONFIG_BYTES = 8 };

/* One input or output, as models that are watched have. */
static uint8_t *bytes_of(uint16_t tensor) {
    const uint8_t *record = bp_tensor_record(app_model(), tensor);
    return app_selected.arena + BP_ROM_U32(record + BP_TENSOR_OFFSET);
}

static bp_status_t score_of(uint64_t *score, const uint8_t *input) {
    const bp_model_t *model = app_model();
    return bp_anomaly_score(score, model, input, bytes_of(bp_model_output(model, 0)));
}

/* Whether the model has what a score needs; of bytes that say nothing. */
static bp_status_t check_model(app_call_t *call) {
    uint64_t score;
    uint8_t *copy;
    if (app_model() == NULL) {
        return BP_E_NO_MODEL;
    }
#if APP_HAS_ROWS
    if (app_selected.is_fed) {
        return BP_E_UNSUPPORTED; /* its input is never there as a whole */
    }
#endif
    BP_TRY(score_of(&score, bytes_of(bp_model_input(app_model(), 0))));
    return app_hold_bytes(call, app_selected.input_bytes, &copy);
}

bp_status_t app_anomaly_begin(app_call_t *call) {
    uint8_t config[CONFIG_BYTES];
    if (call->n != CONFIG_BYTES) {
        return BP_E_LENGTH;
    }
    app_copy(config, call->payload, CONFIG_BYTES);
    BP_TRY(check_model(call));
    return app_detector_open(config);
}

/* Runs the model on the inputs that were written; they are copied first, as ops may overwrite them.
 * Answers with the score and the ticks. */
static bp_status_t score_inputs(app_call_t *call, bp_anomaly_t **detector, uint64_t *score) {
    uint8_t *copy;
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_detector(detector));
    BP_TRY(app_hold_bytes(call, app_selected.input_bytes, &copy));
    app_copy(copy, bytes_of(bp_model_input(app_model(), 0)), app_selected.input_bytes);
    const uint32_t ticks = app_run_timed();
    BP_TRY(score_of(score, copy));
    app_put_u32(call->payload, (uint32_t)*score);
    app_put_u32(call->payload + 4, (uint32_t)(*score >> 32));
    app_put_u32(call->payload + 8, ticks);
    return BP_OK;
}

bp_status_t app_anomaly_learn(app_call_t *call) {
    bp_anomaly_t *detector;
    uint64_t score;
    BP_TRY(score_inputs(call, &detector, &score));
    const bp_status_t status = bp_anomaly_learn(detector, score);
    if (status != BP_OK) {
        return status == BP_E_SPACE ? BP_E_RANGE : status; /* E_SPACE is about the pool */
    }
    app_put_u32(call->payload + 12, detector->normal);
    call->n_answer = 16;
    return BP_OK;
}

bp_status_t app_anomaly_judge(app_call_t *call) {
    bp_anomaly_verdict_t verdict;
    bp_anomaly_t *detector;
    uint64_t score;
    BP_TRY(score_inputs(call, &detector, &score));
    BP_TRY(bp_anomaly_judge(detector, &verdict, score));
    const uint8_t found[] = {verdict.above, verdict.votes, verdict.alarm, verdict.drifts};
    app_copy(call->payload + 12, found, sizeof found);
    call->n_answer = 16;
    return BP_OK;
}

#else
typedef int app_request_anomaly_is_not_there;
#endif
