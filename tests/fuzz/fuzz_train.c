/* Training of any image, with any configuration, from any state:
 *
 *     configuration 14 bytes, samples u8 (and features kept), rate u32, state bytes u16, state, image
 *
 * What may be trained at all must stay inside image, memory and arena, all allocated to the byte, and
 * must leave a model that the reader accepts. The same input then runs again: with the portable code,
 * with a state block that moves to another trainer half-way, and with the image in RAM where it was
 * in flash, or the other way round. Every byte must be equal, and one in flash stays as it was. */
#include <byteprop/infer.h>
#include <byteprop/kernels.h>
#include <byteprop/status.h>
#include <byteprop/train.h>
#include <string.h>

#include "fuzz_common.h"

enum { SAMPLES_AT = 14, RATE_AT = 15, STATE_BYTES_AT = 19, HEAD_BYTES = 21, MAX_SAMPLES = 12 };
/* More would only make the fuzzer slow. */
#define MAX_MEMORY_BYTES (1u << 18)

typedef struct {
    bp_train_config_t config;
    const uint8_t *image;
    uint32_t image_bytes;
    const uint8_t *state;
    uint32_t state_bytes;
    uint32_t rate;
    uint8_t samples;
} case_t;

typedef struct {
    bp_train_t *train;
    uint8_t *image;
    uint8_t *memory;
    uint8_t *arena;
    uint8_t *trained; /* the image as trained */
    uint32_t memory_bytes;
    uint32_t state_bytes;
    uint64_t loss; /* over all samples, and what they predicted */
} run_t;

static uint8_t *copy_of(const uint8_t *bytes, size_t n) {
    uint8_t *copy = malloc(n);
    if (n != 0) {
        memcpy(copy, bytes, n);
    }
    return copy;
}

static void end(run_t *run) {
    free(run->trained);
    free(run->arena);
    free(run->memory);
    free(run->image);
    free(run->train);
}

/* 0 when the image cannot be trained so. */
static int begin(run_t *run, const case_t *input, const uint8_t *image) {
    bp_model_t model;
    uint16_t op;
    *run = (run_t){0};
    run->image = copy_of(image, input->image_bytes);
    if (bp_model_open(&model, run->image, input->image_bytes) != BP_OK ||
        bp_train_plan(&run->memory_bytes, &run->state_bytes, &op, &model, &input->config) !=
            BP_OK ||
        run->memory_bytes > MAX_MEMORY_BYTES || model.arena_bytes > MAX_MEMORY_BYTES) {
        return 0;
    }
    check(run->state_bytes <= run->memory_bytes);
    run->train = malloc(bp_train_sizeof());
    run->memory = malloc(run->memory_bytes);
    memset(run->memory, 0xA5, run->memory_bytes);
    run->arena = malloc(model.arena_bytes);
    memset(run->arena, 0x5A, model.arena_bytes);
    return bp_train_open(run->train, run->image, input->image_bytes, &input->config, run->memory,
                         run->memory_bytes, run->arena) == BP_OK;
}

static int take_state(run_t *run, const case_t *input) {
    const uint32_t n =
        input->state_bytes < run->state_bytes ? input->state_bytes : run->state_bytes;
    if (n == 0) {
        return 1;
    }
    memcpy(run->memory, input->state, n);
    return bp_train_resume(run->train) == BP_OK;
}

static uint32_t next(uint32_t *draw) {
    *draw = *draw * 1664525u + 1013904223u;
    return *draw >> 8;
}

/* Half of all inputs are -128, the zero point of most. */
static void draw_bytes(uint8_t *x, uint32_t n, uint32_t draw) {
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t value = next(&draw);
        x[i] = (value & 0x100) != 0 ? 0x80 : (uint8_t)value;
    }
}

static void draw_targets(int32_t *target, uint32_t n, uint32_t draw) {
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t value = next(&draw);
        target[i] = (int32_t)(value << 8) >> (value & 15u);
    }
}

/* Classes come and go, as far as the training has any. */
static void edit_head(run_t *run, const case_t *input, const uint8_t *x, uint16_t label,
                      uint8_t i) {
    bp_train_result_t result = {0, 0, 0};
    bp_status_t status = bp_train_remember(run->train, x, label);
    check(status == (input->config.kept == 0 ? BP_E_UNSUPPORTED : BP_OK));
    bp_train_check_t held = {0, 0, 0, 0};
    run->loss = run->loss * 31 + (uint64_t)bp_train_hold(run->train, x, (uint16_t)(label / 2));
    run->loss = run->loss * 31 + (uint64_t)bp_train_check(run->train, &held) + held.loss;
    if (i % 3 == 1) {
        status = bp_train_imprint(run->train, label);
    } else if (i % 3 == 2) {
        status = bp_train_remove(run->train, (uint16_t)(label / 2));
    }
    run->loss = run->loss * 31 + (uint64_t)status;
    status = bp_train_rehearse(run->train, &result, input->rate);
    run->loss = run->loss * 31 + (uint64_t)status + result.loss;
}

static void learn(run_t *run, const case_t *input, const bp_model_t *model, uint8_t from,
                  uint8_t to) {
    const uint32_t x_bytes = bp_infer_input_bytes(model);
    const uint32_t n_out = bp_infer_output_bytes(model);
    uint8_t *x = malloc(x_bytes);
    int32_t *target = malloc(sizeof *target * n_out);
    for (uint8_t i = from; i < to; ++i) {
        bp_train_result_t result;
        draw_bytes(x, x_bytes, i);
        draw_targets(target, n_out, i);
        const uint16_t label = (uint16_t)(i % n_out);
        /* Every third rate is the largest possible one. */
        const uint32_t rate = i % 3 == 2 ? UINT32_MAX : input->rate;
        check(bp_train_sample(run->train, &result, x, label, target, rate) == BP_OK);
        run->loss = run->loss * 31 + result.loss + result.predicted + result.correct;
        check(bp_train_run(run->train, &result, x, &label, target, NULL, NULL, 1) == BP_OK);
        run->loss = run->loss * 31 + result.loss;
        edit_head(run, input, x, label, i);
    }
    free(target);
    free(x);
}

static int in_flash(const case_t *input) {
    return (input->config.flags & BP_TRAIN_IN_FLASH) != 0;
}

/* What scratch memory holds in the end depends on which code ran. */
static void clear_scratch(uint8_t *arena, const bp_model_t *model) {
    for (uint16_t i = 0; i < model->n_tensors; ++i) {
        bp_tensor_t tensor;
        bp_model_tensor(&tensor, model, i);
        if (tensor.kind == BP_KIND_SCRATCH) {
            memset(arena + tensor.offset, 0, tensor.elems);
        }
    }
}

/* The model is one that inference may run, with the answers that the trainer gives. */
static void check_model(const run_t *run, const case_t *input) {
    bp_model_t model;
    check(bp_model_open(&model, run->trained, input->image_bytes) == BP_OK);
    uint8_t *arena = malloc(model.arena_bytes);
    memset(arena, 0x5A, model.arena_bytes);
    memset(run->arena, 0x5A, model.arena_bytes);
    bp_infer_run(&model, arena, model.n_ops, NULL);
    bp_train_infer(run->train, model.n_ops, NULL);
    clear_scratch(arena, &model);
    clear_scratch(run->arena, &model);
    check(memcmp(arena, run->arena, model.arena_bytes) == 0);
    free(arena);
}

static void take_image(run_t *run, const case_t *input) {
    bp_train_seal(run->train);
    run->trained = malloc(input->image_bytes);
    bp_train_read_image(run->trained, run->train, 0, input->image_bytes);
    const uint8_t *expected = in_flash(input) ? input->image : run->trained;
    check(memcmp(run->image, expected, input->image_bytes) == 0);
}

/* The trainer's image and state in a trainer of their own. */
static void move(run_t *to, run_t *from, const case_t *input) {
    bp_train_seal(from->train); /* changes nothing in flash */
    check(begin(to, input, from->image));
    memcpy(to->memory, from->memory, from->state_bytes);
    check(bp_train_resume(to->train) == BP_OK);
    to->loss = from->loss;
    end(from);
}

/* Returns 0 when the input is refused. */
static int run_case(run_t *run, const case_t *input, const bp_model_t *model, int moves) {
    if (!begin(run, input, input->image) || !take_state(run, input)) {
        return 0;
    }
    const uint8_t half = input->samples / 2;
    learn(run, input, model, 0, half);
    if (moves) {
        run_t other;
        move(&other, run, input);
        *run = other;
    }
    learn(run, input, model, half, input->samples);
    bp_train_flush(run->train);
    take_image(run, input);
    check_model(run, input);
    return 1;
}

static void check_equal(const run_t *a, const run_t *b, uint32_t image_bytes) {
    const uint32_t n = a->state_bytes < b->state_bytes ? a->state_bytes : b->state_bytes;
    check(a->loss == b->loss);
    check(memcmp(a->trained, b->trained, image_bytes) == 0);
    check(memcmp(a->memory, b->memory, n) == 0);
}

static void run_again(const run_t *first, const case_t *input, const bp_model_t *model, int moves) {
    run_t again;
    check(run_case(&again, input, model, moves));
    check_equal(first, &again, input->image_bytes);
    end(&again);
}

/* Where the image is decides nothing; a state from outside may hold other weights, so without one. */
static void run_elsewhere(const case_t *input, const bp_model_t *model) {
    run_t here = {0}, there = {0};
    case_t other = *input;
    other.config.flags ^= BP_TRAIN_IN_FLASH;
    if (input->state_bytes == 0 && run_case(&here, input, model, 0) &&
        run_case(&there, &other, model, 1)) {
        check_equal(&here, &there, input->image_bytes);
    }
    end(&there);
    end(&here);
}

static int parse(case_t *input, const uint8_t *data, size_t size) {
    if (size < HEAD_BYTES) {
        return 0;
    }
    input->config.seed = get_u32(data);
    input->config.frozen = get_u32(data + 4);
    input->config.batch = get_u16(data + 8);
    input->config.window = get_u16(data + 10);
    input->config.flags = data[12];
    input->config.momentum_shift = data[13];
    input->config.rate_shift = data[RATE_AT] % 48; /* up to 40 are allowed */
    input->config.convs = data[RATE_AT + 3] & 31;
    input->samples = (uint8_t)(data[SAMPLES_AT] % (MAX_SAMPLES + 1));
    input->config.kept = data[SAMPLES_AT] / (MAX_SAMPLES + 1);
    input->rate = get_u32(data + RATE_AT);
    input->state_bytes = get_u16(data + STATE_BYTES_AT);
    input->state = data + HEAD_BYTES;
    if (size - HEAD_BYTES < input->state_bytes) {
        return 0;
    }
    input->image = input->state + input->state_bytes;
    input->image_bytes = (uint32_t)(size - HEAD_BYTES - input->state_bytes);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_t input;
    bp_model_t model;
    run_t run;
    if (!parse(&input, data, size)) {
        return 0;
    }
    uint8_t *image = copy_of(input.image, input.image_bytes);
    seal_image(image, input.image_bytes);
    input.image = image;
    if (bp_model_open(&model, image, input.image_bytes) == BP_OK) {
        const char *fastest = bp_isa_name();
        if (run_case(&run, &input, &model, 0)) {
            run_again(&run, &input, &model, 1);
            check(bp_isa_select("portable") == BP_OK);
            run_again(&run, &input, &model, 0);
            check(bp_isa_select(fastest) == BP_OK);
            run_elsewhere(&input, &model);
        }
        end(&run);
    }
    free(image);
    return 0;
}
