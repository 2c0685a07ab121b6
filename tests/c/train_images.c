#include "train_images.h"

#include <byteprop/crc32.h>
#include <byteprop/model.h>
#include <stddef.h>

#include "train_digest.h"

typedef struct {
    uint8_t *image;
    uint8_t *memory;
    uint8_t *arena;
    uint8_t *rest;
    uint32_t memory_bytes;
    uint32_t state_bytes;
    uint32_t rest_bytes;
    uint64_t train[(BP_TRAIN_BYTES + 7) / 8];
} run_t;

static bp_train_t *trainer(run_t *run) {
    return (bp_train_t *)(void *)run->train;
}

static int place(run_t *run, const train_images_t *net, uint8_t *space, uint32_t bytes) {
    bp_model_t model;
    uint16_t op;
    if (net->image_bytes > bytes) {
        return BP_E_SPACE;
    }
    run->image = space;
    for (uint32_t i = 0; i < net->image_bytes; ++i) {
        run->image[i] = net->image[i];
    }
    int status = bp_model_open(&model, run->image, net->image_bytes);
    if (status == BP_OK) {
        status = bp_train_plan(&run->memory_bytes, &run->state_bytes, &op, &model, &net->config);
    }
    const uint32_t image = (net->image_bytes + 3) & ~(uint32_t)3;
    const uint32_t arena = (model.arena_bytes + 3) & ~(uint32_t)3;
    if (status != BP_OK || image + run->memory_bytes + arena > bytes) {
        return status == BP_OK ? BP_E_SPACE : status;
    }
    run->memory = space + image;
    run->arena = run->memory + run->memory_bytes;
    run->rest = run->arena + arena;
    run->rest_bytes = bytes - image - run->memory_bytes - arena;
    return BP_OK;
}

static int open(run_t *run, const train_images_t *net) {
    return bp_train_open(trainer(run), run->image, net->image_bytes, &net->config, run->memory,
                         run->memory_bytes, run->arena);
}

/* What a device does whose memory was lost but for image and state. */
static int open_again(run_t *run, const train_images_t *net) {
    if (run->rest_bytes < run->state_bytes) {
        return BP_E_SPACE;
    }
    bp_train_seal(trainer(run));
    for (uint32_t i = 0; i < run->state_bytes; ++i) {
        run->rest[i] = run->memory[i];
    }
    const int status = open(run, net);
    for (uint32_t i = 0; i < run->state_bytes; ++i) {
        run->memory[i] = run->rest[i];
    }
    return status == BP_OK ? (int)bp_train_resume(trainer(run)) : status;
}

/* From the sample, or from its features when they are kept. */
static int step(run_t *run, bp_train_result_t *result, const train_images_t *net, const uint8_t *x,
                uint32_t k) {
    if (!DIGEST_KEPT || net->config.kept == 0) {
        return (int)bp_train_sample(trainer(run), result, x, net->labels[k], NULL, net->rates[k]);
    }
    const int status = bp_train_remember(trainer(run), x, net->labels[k]);
    return status == BP_OK ? (int)bp_train_rehearse(trainer(run), result, net->rates[k]) : status;
}

static int train(run_t *run, uint32_t *crc, const train_images_t *net, uint32_t from, uint32_t end) {
    bp_model_t model;
    int status = bp_model_open(&model, net->image, net->image_bytes);
    const uint32_t x_bytes = bp_infer_input_bytes(&model);
    for (uint32_t k = from; status == BP_OK && k < end; ++k) {
        bp_train_result_t result;
        status = step(run, &result, net, net->x + (size_t)(k * x_bytes), k);
        const uint8_t bytes[4] = {(uint8_t)result.loss, (uint8_t)(result.loss >> 8),
                                  (uint8_t)result.predicted, result.correct};
        *crc = bp_crc32(*crc, bytes, sizeof bytes);
    }
    return status;
}

int train_images_run(uint32_t *crc, const train_images_t *net, uint8_t *space, uint32_t bytes,
                     int resume) {
    run_t run;
    const uint32_t half = net->samples / 2;
    *crc = 0;
    int status = place(&run, net, space, bytes);
    status = status == BP_OK ? open(&run, net) : status;
    status = status == BP_OK ? train(&run, crc, net, 0, half) : status;
    status = status == BP_OK && resume ? open_again(&run, net) : status;
    status = status == BP_OK ? train(&run, crc, net, half, net->samples) : status;
    if (status == BP_OK) {
        bp_train_flush(trainer(&run));
        bp_train_seal(trainer(&run));
        *crc = bp_crc32(*crc, run.image, net->image_bytes);
        *crc = bp_crc32(*crc, run.memory, run.state_bytes);
    }
    return status;
}
