/* INFER and PROFILE: the inputs have been written before. */
#include "features.h"
#include "frames.h"
#include "handlers.h"
#include "objects.h"
#include "pool.h"
#include "trainer.h"

#define ALL_OPS 0xFFFFu

/* A busy board sends four heartbeats per second, or one every 16 ops where nothing ticks. */
#define HEARTBEAT_OPS 16u
#define HEARTBEAT_TICKS ((uint32_t)(BP_TICK_HZ) / 4u)

typedef struct {
    uint32_t last_beat;
    uint32_t spent; /* ticks that heartbeats took */
} beat_t;

typedef struct {
    uint8_t *next; /* where the next op's ticks go */
    uint16_t first;
    uint16_t n;
    uint32_t overhead; /* ticks of an empty op */
    uint32_t last;
} profile_t;

static int is_due(const beat_t *beat, uint32_t now, uint16_t op_index) {
    if (BP_TICK_KIND == BP_TICK_NONE || HEARTBEAT_TICKS == 0) {
        return op_index % HEARTBEAT_OPS == HEARTBEAT_OPS - 1u;
    }
    return now - beat->last_beat >= HEARTBEAT_TICKS;
}

static void beat_after_op(void *context, uint16_t op_index) {
    beat_t *beat = context;
    const uint32_t now = bp_port_ticks();
    if (is_due(beat, now, op_index)) {
        uint8_t payload[2];
        app_put_u16(payload, op_index);
        app_send(BP_MSG_HEARTBEAT, 0, 0, payload, sizeof payload);
        beat->last_beat = bp_port_ticks();
        beat->spent += beat->last_beat - now;
    }
}

/* A counter that does not count evenly (an emulator's) may make the difference negative. */
static uint32_t less(uint32_t ticks, uint32_t overhead) {
    return ticks > overhead ? ticks - overhead : 0;
}

/* With the weights as trained, also where they are not in the model's image. */
static void run_ops(uint16_t n_ops, const bp_infer_hooks_t *hooks) {
#if APP_CAN_TRAIN
    if (app_train_in_flash() != NULL) {
        bp_train_infer(app_train_in_flash(), n_ops, hooks);
        return;
    }
#endif
    bp_infer_run(app_model(), app_selected.arena, n_ops, hooks);
}

/* The input of a model that is fed is used up. */
static bp_status_t take_fed(void) {
#if APP_HAS_ROWS
    if (app_selected.is_fed && app_selected.fed != app_selected.input_bytes) {
        return BP_E_STATE;
    }
    app_selected.fed = 0;
#endif
    return BP_OK;
}

static uint32_t feed_ticks(void) {
#if APP_HAS_ROWS
    return app_selected.is_fed ? app_selected.feed_ticks : 0;
#else
    return 0;
#endif
}

/* Ticks of the inference without its heartbeats and without the reading of the counter. */
static uint32_t run_timed(uint16_t n_ops) {
    beat_t beat = {bp_port_ticks(), 0};
    const uint32_t overhead = bp_port_ticks() - beat.last_beat;
    const bp_infer_hooks_t hooks = {beat_after_op, &beat};
    const uint32_t begin = bp_port_ticks();
    run_ops(n_ops, &hooks);
    const uint32_t ticks = bp_port_ticks() - begin;
    return less(ticks, beat.spent + overhead);
}

#if APP_CAN_DETECT
uint32_t app_run_timed(void) {
    return run_timed(ALL_OPS);
}
#endif

bp_status_t app_infer(app_call_t *call) {
    if (call->n != 2) {
        return BP_E_LENGTH;
    }
    if (app_model() == NULL) {
        return BP_E_NO_MODEL;
    }
    BP_TRY(take_fed());
    const uint16_t n_ops = app_get_u16(call->payload);
    const uint32_t ticks = run_timed(n_ops) + feed_ticks();
    app_put_u32(call->payload, ticks);
    app_put_u32(call->payload + 4, 0);
    call->n_answer = 8;
    if (n_ops == ALL_OPS) {
        const uint32_t n = app_selected.output_bytes;
        app_put_u32(call->payload + 4, app_outputs_crc());
        if (n <= APP_KEPT_BYTES - 8u) {
            app_outputs_copy(call->payload + 8, n);
            call->n_answer = (uint16_t)(8u + n);
        }
    }
    return BP_OK;
}

static void profile_after_op(void *context, uint16_t op_index) {
    const uint32_t now = bp_port_ticks();
    profile_t *profile = context;
    if (op_index >= profile->first && op_index - profile->first < profile->n) {
        app_put_u32(profile->next, less(now - profile->last, profile->overhead));
        profile->next += 4;
    }
    profile->last = bp_port_ticks();
}

bp_status_t app_profile(app_call_t *call) {
    const bp_model_t *model = app_model();
    if (call->n != 2) {
        return BP_E_LENGTH;
    }
    if (model == NULL) {
        return BP_E_NO_MODEL;
    }
    const uint16_t first = app_get_u16(call->payload);
    if (first >= model->n_ops) {
        return BP_E_RANGE;
    }
    BP_TRY(take_fed());
    profile_t profile = {call->payload, first, (uint16_t)(model->n_ops - first), 0, 0};
    if (profile.n > APP_KEPT_BYTES / 4u) {
        profile.n = APP_KEPT_BYTES / 4u;
    }
    /* The time between two calls with nothing between them; volatile keeps them calls. */
    void (*volatile hook)(void *, uint16_t) = profile_after_op;
    hook(&profile, ALL_OPS);
    profile.overhead = bp_port_ticks() - profile.last;
    const bp_infer_hooks_t hooks = {profile_after_op, &profile};
    profile.last = bp_port_ticks();
    run_ops(ALL_OPS, &hooks);
    if (first == 0 && feed_ticks() != 0) { /* of the ops that ran meanwhile; the first stands for all */
        app_put_u32(call->payload, feed_ticks());
    }
    call->n_answer = (uint16_t)(4u * profile.n);
    return BP_OK;
}
