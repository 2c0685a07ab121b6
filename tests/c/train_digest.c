#include "train_digest.h"

#include <byteprop/train.h>
#include <stddef.h>

#include "train/state.h"
#include "train_image.h"

enum { SAMPLES = 24, PATTERNS = 6, MAX_INPUTS = 64, MAX_OUTPUTS = 10 };

typedef struct {
    const char *name;
    train_net_t net;
    bp_train_config_t config;
    uint32_t lr_q24;
} case_t;

#define CE_NET                                                                                     \
    { {13, 7, 5}, 2, BP_ACT_RELU, 1, 0, 0, -128, -128 }
#define RATE 2000000u

/* seed, frozen, batch, window, flags, momentum_shift, kept, rate_shift, convs */
static const case_t cases[] = {
    {"neuron", {{1, 1}, 1, 0, 0, 0, 0, -3, 0}, {1, 0, 1, 0, 0, 0, 0, 0, 0}, 1000000},
    {"neuron nearest",
     {{1, 1}, 1, 0, 0, 0, 0, 0, 0},
     {1, 0, 1, 0, BP_TRAIN_NEAREST, 0, 0, 0, 0},
     1000000},
    {"classes", CE_NET, {2, 0, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"nearest", CE_NET, {2, 0, 1, 0, BP_TRAIN_NEAREST, 0, 0, 0, 0}, RATE},
    {"no residual", CE_NET, {2, 0, 1, 0, BP_TRAIN_NO_RESIDUAL, 0, 0, 0, 0}, RATE},
    {"no residual nearest",
     CE_NET,
     {2, 0, 1, 0, BP_TRAIN_NO_RESIDUAL | BP_TRAIN_NEAREST, 0, 0, 0, 0},
     RATE},
    {"window", CE_NET, {3, 0, 1, 5, 0, 0, 0, 0, 0}, RATE},
    {"batch", CE_NET, {4, 0, 5, 0, 0, 0, 0, 0, 0}, RATE},
    {"batch no residual", CE_NET, {4, 0, 5, 0, BP_TRAIN_NO_RESIDUAL, 0, 0, 0, 0}, RATE},
    {"momentum", CE_NET, {5, 0, 1, 0, 0, 3, 0, 0, 0}, RATE / 8},
    {"momentum batch window", CE_NET, {5, 0, 2, 3, 0, 2, 0, 0, 0}, RATE / 8},
    {"first frozen", CE_NET, {6, 1, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"last frozen", CE_NET, {6, 2, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"all frozen", CE_NET, {6, 3, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"huge steps", CE_NET, {7, 0, 1, 0, 0, 0, 0, 0, 0}, 0xFFFFFFFFu},
    {"huge steps batch", CE_NET, {7, 0, 3, 0, 0, 0, 0, 0, 0}, 0xFFFFFFFFu},
    {"per channel", {{13, 7, 5}, 2, BP_ACT_RELU, 1, 1, 0, -5, -20}, {8, 0, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"relu6 squares",
     {{9, 8, 6, 2}, 3, BP_ACT_RELU6, 0, 0, 0, 4, -90},
     {9, 0, 1, 0, 0, 0, 0, 0, 0},
     RATE},
    {"relu_n1 rows",
     {{9, 8, 6, 2}, 3, BP_ACT_RELU_N1_TO_1, 0, 1, 0, 4, 9},
     {9, 0, 2, 0, 0, 0, 0, 0, 0},
     RATE},
    {"no activation", {{9, 8, 4}, 2, BP_ACT_NONE, 1, 0, 0, 4, 3}, {9, 0, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"bytes", {{13, 7, 5}, 2, BP_ACT_RELU, 1, 0, 1, -128, -128}, {10, 0, 1, 7, 0, 0, 0, 0, 0}, RATE},
    {"64-32-10", {{64, 32, 10}, 2, BP_ACT_RELU, 1, 0, 0, -128, -128}, {11, 0, 1, 6, 0, 0, 0, 0, 0}, RATE},
    {"61-33-10", {{61, 33, 10}, 2, BP_ACT_RELU, 1, 0, 0, 17, -128}, {11, 0, 1, 0, 0, 0, 0, 0, 0}, RATE},
    {"head", {{61, 6}, 1, 0, 1, 0, 0, 17, 0}, {12, 0, 1, 0, 0, 0, 7, 0, 0}, RATE},
    {"head rows", {{13, 6}, 1, 0, 1, 1, 1, -5, 0}, {13, 0, 2, 0, BP_TRAIN_NO_RESIDUAL, 0, 5, 0, 0}, RATE},
    {"last layer kept", CE_NET, {14, 1, 1, 0, 0, 2, 4, 0, 0}, RATE / 8},
};

static uint32_t add_to_digest(uint32_t digest, const uint8_t *bytes, uint32_t n) {
    for (; n != 0; --n) {
        digest = (digest ^ *bytes++) * 16777619u;
    }
    return digest;
}

/* Sparse, as images are; every pattern is shown again and again with its own label. */
static void make_sample(uint8_t *x, int32_t *target, const case_t *c, uint32_t pattern) {
    for (uint16_t i = 0; i < c->net.dims[0]; ++i) {
        uint32_t bits = bp_train_draw(pattern, i, 77, 0);
        uint8_t value = (uint8_t)(bits >> 16);
        x[i] = bits % 3 == 0 ? (uint8_t)c->net.x_zp : value;
    }
    for (uint16_t j = 0; j < MAX_OUTPUTS; ++j) {
        target[j] = (int32_t)bp_train_draw(pattern, j, 78, 0) >> 9;
    }
}

typedef struct {
    const case_t *c;
    bp_train_t train;
    uint8_t *image;
    uint32_t image_bytes;
    uint8_t *memory;
    uint8_t *arena;
    uint32_t arena_bytes;
    uint32_t memory_bytes;
    uint32_t state_bytes;
} run_t;

static uint32_t used_bytes(const run_t *run) {
    return run->image_bytes + run->memory_bytes + run->arena_bytes;
}

static int plan(run_t *run, train_space_t space) {
    uint16_t op;
    bp_model_t model;
    run->image = space.bytes;
    run->image_bytes = make_train_image(NULL, &run->c->net);
    if (run->image_bytes > space.n || (!DIGEST_KEPT && run->c->config.kept != 0)) {
        return BP_E_SPACE;
    }
    make_train_image(run->image, &run->c->net);
    int status = bp_model_open(&model, run->image, run->image_bytes);
    if (status == BP_OK) {
        status = bp_train_plan(&run->memory_bytes, &run->state_bytes, &op, &model, &run->c->config);
    }
    run->memory = space.bytes + (size_t)run->image_bytes;
    run->arena = run->memory + (size_t)run->memory_bytes;
    run->arena_bytes = (model.arena_bytes + 3u) & ~(uint32_t)3u;
    return status == BP_OK && used_bytes(run) > space.n ? BP_E_SPACE : status;
}

static int open(run_t *run) {
    return bp_train_open(&run->train, run->image, run->image_bytes, &run->c->config, run->memory,
                         run->memory_bytes, run->arena);
}

/* What a device does whose memory was lost but for image and state, kept in `copy`. */
static int go_on_from_copy(run_t *run, uint8_t *copy, uint32_t room) {
    if (room < run->state_bytes) {
        return BP_E_SPACE;
    }
    bp_train_seal(&run->train);
    for (uint32_t i = 0; i < run->state_bytes; ++i) {
        copy[i] = run->memory[i];
    }
    int status = open(run);
    for (uint32_t i = 0; i < run->state_bytes; ++i) {
        run->memory[i] = copy[i];
    }
    return status == BP_OK ? (int)bp_train_resume(&run->train) : status;
}

/* A sample is learnt from, or kept with a class of its own imprinted now and then, and one that is
 * kept is learnt from. */
static int step(run_t *run, bp_train_result_t *result, const uint8_t *x, uint32_t k, uint16_t label,
                const int32_t *target) {
    const uint32_t rate = run->c->lr_q24 / (1 + k / 8);
    if (!DIGEST_KEPT || run->c->config.kept == 0 || k % 2 == 0) {
        return bp_train_sample(&run->train, result, x, label, target, rate);
    }
    int status = bp_train_remember(&run->train, x, label);
    if (status == BP_OK && k % 8 == 5) {
        status = bp_train_remove(&run->train, (uint16_t)(k / 8));
    }
    if (status == BP_OK && k % 8 == 7) {
        status = bp_train_imprint(&run->train, label);
    }
    return status == BP_OK ? (int)bp_train_rehearse(&run->train, result, rate) : status;
}

static int train(run_t *run, uint32_t *digest, uint32_t first, uint32_t end) {
    uint8_t x[MAX_INPUTS];
    int32_t target[MAX_OUTPUTS];
    bp_train_result_t result;
    for (uint32_t k = first; k < end; ++k) {
        uint32_t pattern = k % PATTERNS;
        make_sample(x, target, run->c, pattern);
        uint16_t label = (uint16_t)(pattern % run->c->net.dims[run->c->net.n_layers]);
        int status = step(run, &result, x, k, label, target);
        if (status != BP_OK) {
            return status;
        }
        uint32_t words[4] = {(uint32_t)result.loss, (uint32_t)(result.loss >> 32), result.predicted,
                             result.correct};
        for (uint8_t i = 0; i < 16; ++i) {
            uint8_t byte = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
            *digest = add_to_digest(*digest, &byte, 1);
        }
    }
    return BP_OK;
}

int train_digest(train_digest_t *digest, uint8_t index, train_space_t space, int resume) {
    run_t run;
    if (index >= sizeof cases / sizeof cases[0]) {
        return -1;
    }
    run.c = cases + index;
    digest->name = run.c->name;
    digest->digest = 2166136261u;
    int status = plan(&run, space);
    status = status == BP_OK ? open(&run) : status;
    uint32_t half = SAMPLES / 2 + 1; /* in the middle of a batch */
    if (status == BP_OK) {
        status = train(&run, &digest->digest, 0, half);
    }
    if (status == BP_OK && resume) {
        status = go_on_from_copy(&run, run.memory + (size_t)run.memory_bytes,
                                 space.n - used_bytes(&run));
    }
    if (status == BP_OK) {
        status = train(&run, &digest->digest, half, SAMPLES);
    }
    if (status == BP_OK) {
        bp_train_counters_t counters;
        bp_train_flush(&run.train);
        bp_train_seal(&run.train);
        bp_train_counters(&counters, &run.train);
        digest->steps = counters.steps;
        digest->samples = counters.samples;
        digest->digest = add_to_digest(digest->digest, run.image, run.image_bytes);
        digest->digest = add_to_digest(digest->digest, run.memory, run.state_bytes);
    }
    return status;
}
