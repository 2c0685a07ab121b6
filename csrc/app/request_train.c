/* TRAIN_BEGIN, TRAIN, EVALUATE, REHEARSE, TRAIN_END. */
#include "handlers.h"
#include "pool.h"
#include "trainer.h"

#if APP_CAN_TRAIN

#include <byteprop/link.h>

typedef struct {
    const int32_t *target; /* NULL: label counts */
    uint32_t lr_q24;
    uint16_t label;
} sample_t;

bp_status_t app_train_begin(app_call_t *call) {
    return call->n != BP_TRAIN_CONFIG_BYTES ? BP_E_LENGTH : app_train_open(call, call->payload);
}

/* Targets are moved down to where int32 may be: over what has been read of the frame. */
static const int32_t *aligned_targets(uint8_t *bytes, uint16_t n) {
    uint8_t *to = bytes - ((uintptr_t)bytes & 3u);
    app_copy(to, bytes, n);
    return (const int32_t *)(void *)to;
}

static bp_status_t parse_sample(sample_t *sample, const bp_train_t *trainer, uint8_t *p,
                                uint16_t n) {
    sample->target = NULL;
    sample->label = 0;
    if (bp_train_is_classifier(trainer)) {
        if (n != 2) {
            return BP_E_LENGTH;
        }
        sample->label = app_get_u16(p);
        return BP_OK;
    }
    if (bp_train_is_autoencoder(trainer)) {
        return n == 0 ? BP_OK : BP_E_LENGTH;
    }
    if (n != 4u * app_selected.output_bytes) {
        return BP_E_LENGTH;
    }
    sample->target = aligned_targets(p, n);
    return BP_OK;
}

static void put_result(app_call_t *call, const bp_train_t *trainer, const bp_train_result_t *result,
                       uint32_t ticks) {
    uint8_t *p = call->payload;
    bp_train_counters_t counters;
    bp_train_counters(&counters, trainer);
    app_put_u32(p, (uint32_t)result->loss);
    app_put_u32(p + 4, (uint32_t)(result->loss >> 32));
    app_put_u16(p + 8, result->predicted);
    p[10] = result->correct;
    app_put_u32(p + 11, counters.steps);
    app_put_u32(p + 15, ticks);
    call->n_answer = 19;
}

/* The inputs are in the arena. */
static bp_status_t learn(bp_train_t *trainer, bp_train_result_t *result, const sample_t *sample) {
    return bp_train_sample(trainer, result, NULL, sample->label, sample->target, sample->lr_q24);
}

static bp_status_t evaluate(bp_train_t *trainer, bp_train_result_t *result,
                            const sample_t *sample) {
    return bp_train_evaluate(trainer, result, NULL, sample->label, sample->target);
}

static bp_status_t run_sample(app_call_t *call, bp_train_t *trainer, const sample_t *sample,
                              bp_status_t (*run)(bp_train_t *, bp_train_result_t *,
                                                 const sample_t *)) {
    bp_train_result_t result;
    const uint32_t before = bp_port_ticks();
    const uint32_t begin = bp_port_ticks();
    const bp_status_t status = run(trainer, &result, sample);
    const uint32_t ticks = bp_port_ticks() - begin;
    const uint32_t overhead = begin - before;
    if (status == BP_OK) {
        put_result(call, trainer, &result, ticks > overhead ? ticks - overhead : 0);
    }
    return status;
}

bp_status_t app_train(app_call_t *call) {
    sample_t sample;
    bp_train_t *trainer;
    if (call->n < 4) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_trainer(&trainer, 1));
    sample.lr_q24 = app_get_u32(call->payload);
    BP_TRY(parse_sample(&sample, trainer, call->payload + 4, (uint16_t)(call->n - 4u)));
    return run_sample(call, trainer, &sample, learn);
}

bp_status_t app_evaluate(app_call_t *call) {
    sample_t sample;
    bp_train_t *trainer;
    BP_TRY(app_trainer(&trainer, 0));
    sample.lr_q24 = 0;
    BP_TRY(parse_sample(&sample, trainer, call->payload, call->n));
    return run_sample(call, trainer, &sample, evaluate);
}

#if APP_CAN_KEEP
static bp_status_t rehearse(bp_train_t *trainer, bp_train_result_t *result,
                            const sample_t *sample) {
    return bp_train_rehearse(trainer, result, sample->lr_q24);
}

bp_status_t app_rehearse(app_call_t *call) {
    bp_train_t *trainer;
    if (call->n != 4) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_trainer(&trainer, 1));
    const sample_t sample = {NULL, app_get_u32(call->payload), 0};
    return run_sample(call, trainer, &sample, rehearse);
}
#endif

bp_status_t app_train_end(app_call_t *call) {
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    BP_TRY(app_train_finish());
    app_put_u32(call->payload, app_model()->crc32);
    call->n_answer = 4;
    return BP_OK;
}

#else
typedef int app_request_train_is_not_there;
#endif
