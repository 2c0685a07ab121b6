/* TRAIN_BEGIN, TRAIN, EVALUATE, TRAIN_END. The pool then holds the image, the arena and the memory
 * of training, one after the other: the inputs stay in the arena, which training does not touch,
 * and INFER serves between samples, because the image is a true model after every update. */
#include "app.h"

#if APP_CAN_TRAIN

#include <byteprop/train.h>

enum { IDLE, RUNNING, ENDED };

/* A bp_train_t, whose inside belongs to the library. */
static union {
    uint8_t bytes[BP_TRAIN_BYTES];
    void *pointer; /* aligns */
    uint32_t word;
} bp_app_train;
static bp_train_config_t config;
static uint8_t *memory;
static uint32_t n_state;
static uint8_t phase;
static uint8_t state_was_written;

static bp_train_t *trainer(void) {
    return (bp_train_t *)(void *)&bp_app_train;
}

/* A state that was written belongs to biases that are folded anew. */
static uint8_t take_state_over(void) {
    uint8_t status = BP_OK;
    if (state_was_written) {
        status = (uint8_t)bp_train_resume(trainer());
        state_was_written = status != BP_OK;
    }
    return status;
}

static void seal(void) {
    (void)take_state_over();
    bp_train_seal(trainer());
    app_image_sealed();
}

void app_train_drop(void) {
    if (phase != IDLE) {
        seal();
        phase = IDLE;
    }
}

uint8_t *app_train_state(uint32_t *n) {
    *n = n_state;
    return phase == IDLE ? NULL : memory;
}

void app_train_state_written(void) {
    state_was_written = 1;
}

static uint8_t parse(bp_train_config_t *to, const uint8_t *p) {
    to->seed = app_get_u32(p + BP_TRAIN_CONFIG_SEED);
    to->frozen = app_get_u32(p + BP_TRAIN_CONFIG_FROZEN);
    to->batch = app_get_u16(p + BP_TRAIN_CONFIG_BATCH);
    to->window = app_get_u16(p + BP_TRAIN_CONFIG_WINDOW);
    to->flags = p[BP_TRAIN_CONFIG_FLAGS];
    to->momentum_shift = p[BP_TRAIN_CONFIG_MOMENTUM];
    return app_get_u16(p + BP_TRAIN_CONFIG_MOMENTUM + 1) == 0 ? BP_OK : BP_E_ARG;
}

uint8_t app_train_open(app_call_t *call, const uint8_t *config_bytes) {
    uint32_t needed;
    uint16_t op = 0;
    app_train_drop();
    if (app_model() == NULL) {
        return BP_E_NO_MODEL;
    }
    uint8_t status = parse(&config, config_bytes);
    if (status == BP_OK) {
        status = (uint8_t)bp_train_plan(&needed, &n_state, &op, app_model(), &config);
    }
    if (status == BP_E_UNSUPPORTED || status == BP_E_PARAM) {
        app_put_u16(call->payload, op);
        call->n_answer = 2;
    }
    if (status == BP_OK) {
        status = app_hold_image(call, needed, &memory);
    }
    if (status == BP_OK) {
        status = (uint8_t)bp_train_open(trainer(), app_ram_image(), app_model()->image_bytes,
                                        &config, memory, needed);
    }
    if (status != BP_OK) {
        return status;
    }
    phase = RUNNING;
    state_was_written = 0;
    app_put_u32(call->payload, needed);
    app_put_u32(call->payload + 4, n_state);
    call->n_answer = 8;
    return BP_OK;
}

uint8_t app_train_begin(app_call_t *call) {
    return call->n != BP_TRAIN_CONFIG_BYTES ? BP_E_LENGTH : app_train_open(call, call->payload);
}

void app_train_config(uint8_t *to) {
    app_put_u32(to + BP_TRAIN_CONFIG_SEED, config.seed);
    app_put_u32(to + BP_TRAIN_CONFIG_FROZEN, config.frozen);
    app_put_u16(to + BP_TRAIN_CONFIG_BATCH, config.batch);
    app_put_u16(to + BP_TRAIN_CONFIG_WINDOW, config.window);
    to[BP_TRAIN_CONFIG_FLAGS] = config.flags;
    to[BP_TRAIN_CONFIG_MOMENTUM] = config.momentum_shift;
    app_put_u16(to + BP_TRAIN_CONFIG_MOMENTUM + 1, 0);
}

/* ---- samples ---- */

typedef struct {
    const uint8_t *x;
    const int32_t *target; /* NULL: label counts */
    uint32_t lr_q24;
    uint16_t label;
} sample_t;

static int has_classes(const bp_model_t *model) {
    bp_op_t op;
    for (uint16_t i = 0; i < model->n_ops; i++) {
        bp_model_op(&op, model, i);
        if (op.code == BP_OP_SOFTMAX_S8) {
            return 1;
        }
    }
    return 0;
}

/* Targets are moved down to where int32 may lie: over what has been read of the frame. */
static const int32_t *aligned_targets(uint8_t *bytes, uint16_t n) {
    uint8_t *to = bytes - ((uintptr_t)bytes & 3u);
    app_copy(to, bytes, n);
    return (const int32_t *)(void *)to;
}

static uint8_t parse_sample(sample_t *sample, uint8_t *p, uint16_t n) {
    const bp_model_t *model = app_model();
    bp_tensor_t input;
    bp_model_tensor(&input, model, bp_model_input(model, 0));
    sample->x = app_arena() + input.offset;
    sample->target = NULL;
    sample->label = 0;
    if (has_classes(model)) {
        sample->label = app_get_u16(p);
        return n == 2 ? BP_OK : BP_E_LENGTH;
    }
    if (n != 4u * bp_infer_output_bytes(model)) {
        return BP_E_LENGTH;
    }
    sample->target = aligned_targets(p, n);
    return BP_OK;
}

static void put_result(app_call_t *call, const bp_train_result_t *result, uint32_t ticks) {
    uint8_t *p = call->payload;
    bp_train_counters_t counters;
    bp_train_counters(&counters, trainer());
    app_put_u32(p, (uint32_t)result->loss);
    app_put_u32(p + 4, (uint32_t)(result->loss >> 32));
    app_put_u16(p + 8, result->predicted);
    p[10] = result->correct;
    app_put_u32(p + 11, counters.steps);
    app_put_u32(p + 15, ticks);
    call->n_answer = 19;
}

static uint8_t run_sample(app_call_t *call, const sample_t *sample, int learn) {
    bp_train_result_t result;
    const uint32_t before = bp_port_ticks();
    const uint32_t begin = bp_port_ticks();
    const bp_status_t status =
        learn ? bp_train_sample(trainer(), &result, sample->x, sample->label, sample->target,
                                sample->lr_q24)
              : bp_train_evaluate(trainer(), &result, sample->x, sample->label, sample->target);
    const uint32_t ticks = bp_port_ticks() - begin;
    const uint32_t nothing = begin - before;
    if (status == BP_OK) {
        put_result(call, &result, ticks > nothing ? ticks - nothing : 0);
    }
    return (uint8_t)status;
}

uint8_t app_train(app_call_t *call) {
    sample_t sample;
    if (call->n < 6) {
        return BP_E_LENGTH;
    }
    if (phase != RUNNING) {
        return BP_E_STATE;
    }
    sample.lr_q24 = app_get_u32(call->payload);
    uint8_t status = parse_sample(&sample, call->payload + 4, (uint16_t)(call->n - 4u));
    status = status == BP_OK ? take_state_over() : status;
    return status == BP_OK ? run_sample(call, &sample, 1) : status;
}

uint8_t app_evaluate(app_call_t *call) {
    sample_t sample;
    if (call->n < 2) {
        return BP_E_LENGTH;
    }
    if (phase == IDLE) {
        return BP_E_STATE;
    }
    sample.lr_q24 = 0;
    uint8_t status = parse_sample(&sample, call->payload, call->n);
    status = status == BP_OK ? take_state_over() : status;
    return status == BP_OK ? run_sample(call, &sample, 0) : status;
}

uint8_t app_train_end(app_call_t *call) {
    if (call->n != 0) {
        return BP_E_LENGTH;
    }
    if (phase == IDLE) {
        return BP_E_STATE;
    }
    const uint8_t status = take_state_over();
    if (status != BP_OK) {
        return status;
    }
    bp_train_flush(trainer());
    seal();
    phase = ENDED;
    app_put_u32(call->payload, app_model()->crc32);
    call->n_answer = 4;
    return BP_OK;
}

void app_train_seal(void) {
    seal();
}

#else
typedef int app_train_is_not_there;
#endif
