/* Training that is given what nobody should give: images whose parts lie over each other or cannot
 * be trained, states that no training leaves. Refused, or trained within bounds; the sanitizers
 * watch. */
#include <byteprop/crc32.h>
#include <byteprop/train.h>
#include <string.h>

#include "check.h"
#include "train/state.h"
#include "train_digest.h"
#include "train_image.h"

/* Of a net with four ops: where the records begin, how long they are, and where their parameters, and
 * among these the offsets of a dense op's parts, begin in them. */
enum {
    RECORDS_AT = BP_MODEL_HEADER_BYTES + 5 * BP_MODEL_TENSOR_BYTES + 4 * 4,
    RECORD = 36,
    PARAMS = 8,
    PARTS = PARAMS + 8
};
enum { WINDOW_NET = 0, CHANNEL_NET = 1, SQUARES_NET = 2 };

static const train_net_t nets[] = {
    {{6, 5, 3}, 2, BP_ACT_RELU, 1, 0, 1, -128, -128},
    {{6, 5, 3}, 2, BP_ACT_RELU6, 1, 1, 1, 3, -100},
    {{6, 5, 3, 2}, 3, BP_ACT_RELU_N1_TO_1, 0, 0, 1, 3, 0},
};

static const bp_train_config_t configs[] = {
    {1, 0, 1, 0, 0, 0, 0, 0, 0},
    {1, 0, 1, 3, 0, 0, 0, 0, 0},
    {1, 0, 3, 2, 0, 2, 0, 0, 0},
    {1, 1, 2, 0, 0, 0, 0, 0, 0},
    {1, 2, 1, 0, BP_TRAIN_NO_RESIDUAL, 0, 0, 0, 0},
};

static void reseal(uint8_t *image, uint32_t bytes) {
    uint32_t crc = bp_crc32(0, image + 16, bytes - 16);
    memcpy(image + 12, &crc, 4);
}

static int plan_status(const uint8_t *image, uint32_t bytes, const bp_train_config_t *config) {
    bp_model_t model;
    uint32_t memory, state;
    uint16_t op;
    int status = bp_model_open(&model, image, bytes);
    return status == BP_OK ? (int)bp_train_plan(&memory, &state, &op, &model, config) : -status;
}

/* The plan's answer for a net with one word of its image replaced. */
static int changed(const train_net_t *net, const bp_train_config_t *config, uint32_t at,
                   uint32_t value) {
    uint32_t bytes = make_train_image(NULL, net);
    uint8_t *image = exact_bytes(bytes);
    make_train_image(image, net);
    memcpy(image + at, &value, 4);
    reseal(image, bytes);
    int status = plan_status(image, bytes, config);
    free(image);
    return status;
}

static uint32_t word(const train_net_t *net, uint32_t at) {
    uint32_t bytes = make_train_image(NULL, net), value;
    uint8_t *image = exact_bytes(bytes);
    make_train_image(image, net);
    memcpy(&value, image + at, 4);
    free(image);
    return value;
}

/* Ops of WINDOW_NET: QUANTIZE, dense, dense, softmax. */
static void test_parts_that_overlap(void) {
    const train_net_t *net = nets + WINDOW_NET;
    uint32_t first = RECORDS_AT + RECORD + PARTS, second = first + RECORD;
    uint32_t softmax = RECORDS_AT + 3 * RECORD + PARAMS;
    CHECK_EQ(changed(net, configs, first, word(net, first)), BP_OK);
    /* weights, biases, multipliers, shifts and scales of one layer on those of the other */
    for (uint32_t i = 0; i < 5; ++i) {
        for (uint32_t k = 0; k < 5; ++k) {
            int status = changed(net, configs, first + 4 * i, word(net, second + 4 * k));
            /* Multipliers are only read, so they may be shared. */
            CHECK((status == BP_OK) == (i == 2 && k == 2));
        }
    }
    CHECK_EQ(changed(net, configs, first + 16, word(net, second + 16)), BP_E_BOUNDS);
    CHECK_EQ(changed(net, configs, first + 4, word(net, softmax)), BP_E_BOUNDS);
    /* the data section begins with the records, so that data may be what is in them */
    uint32_t bytes = make_train_image(NULL, net);
    uint8_t *image = exact_bytes(bytes);
    make_train_image(image, net);
    uint32_t data_at = BP_MODEL_HEADER_BYTES, data_bytes = bytes - data_at;
    uint32_t scale_at = data_at + BP_TENSOR_SCALE;
    memcpy(image + 44, &data_at, 4);
    memcpy(image + 48, &data_bytes, 4);
    reseal(image, bytes);
    CHECK_EQ(plan_status(image, bytes, configs), BP_OK);
    memcpy(image + first + 16, &scale_at, 4);
    reseal(image, bytes);
    CHECK_EQ(plan_status(image, bytes, configs), BP_E_BOUNDS); /* a tensor's scale is one, too */
    free(image);
}

static void test_what_cannot_be_trained(void) {
    const train_net_t *net = nets + WINDOW_NET;
    uint32_t scales = word(net, RECORDS_AT + RECORD + PARTS + 16);
    CHECK_EQ(changed(net, configs, scales, 0), BP_E_PARAM);
    CHECK_EQ(changed(net, configs, scales, 0x7F800000), BP_E_PARAM);
    CHECK_EQ(changed(net, configs, scales, 0xBF800000), BP_E_PARAM);
    CHECK_EQ(changed(net, configs, BP_MODEL_HEADER_BYTES + BP_MODEL_TENSOR_BYTES + BP_TENSOR_SCALE, 0x00400000), BP_E_PARAM); /* scale of the input */
    bp_train_config_t config = configs[0];
    config.batch = 0;
    CHECK_EQ(changed(net, &config, scales, 0x3F800000), BP_E_ARG);
    config = configs[0];
    config.momentum_shift = 16;
    CHECK_EQ(changed(net, &config, scales, 0x3F800000), BP_E_ARG);
    config = configs[0];
    config.flags = 16;
    CHECK_EQ(changed(net, &config, scales, 0x3F800000), BP_E_ARG);
    config = configs[0];
    config.rate_shift = 41;
    CHECK_EQ(changed(net, &config, scales, 0x3F800000), BP_E_ARG);
    CHECK_EQ(changed(nets + CHANNEL_NET, configs + 1, 16, word(nets + CHANNEL_NET, 16)),
             BP_E_UNSUPPORTED);
    /* an activation on the last layer; a softmax with a temperature */
    uint32_t last = RECORDS_AT + 2 * RECORD + PARAMS;
    CHECK_EQ(changed(net, configs, last, word(net, last) | (uint32_t)BP_ACT_RELU << 8),
             BP_E_UNSUPPORTED);
    CHECK_EQ(changed(net, configs, RECORDS_AT + 3 * RECORD + PARAMS + 4, 0x40000000), BP_E_UNSUPPORTED);
}

typedef struct {
    uint8_t *image;
    uint8_t *memory;
    uint8_t *arena;
    uint32_t image_bytes;
    uint32_t memory_bytes;
    uint32_t state_bytes;
    bp_train_t train;
} session_t;

static int open_session(session_t *s, const train_net_t *net, const bp_train_config_t *config) {
    bp_model_t model;
    uint16_t op;
    s->image_bytes = make_train_image(NULL, net);
    s->image = exact_bytes(s->image_bytes);
    make_train_image(s->image, net);
    CHECK_EQ(bp_model_open(&model, s->image, s->image_bytes), BP_OK);
    int status = bp_train_plan(&s->memory_bytes, &s->state_bytes, &op, &model, config);
    s->memory = exact_bytes(s->memory_bytes);
    s->arena = exact_bytes(model.arena_bytes);
    return status == BP_OK ? (int)bp_train_open(&s->train, s->image, s->image_bytes, config,
                                                s->memory, s->memory_bytes, s->arena)
                           : status;
}

static void close_session(session_t *s) {
    free(s->image);
    free(s->memory);
    free(s->arena);
}

static void run_samples(bp_train_t *train, uint32_t n) {
    uint8_t x[6];
    int32_t target[3];
    bp_train_result_t result;
    for (; n != 0; --n) {
        for (size_t i = 0; i < sizeof x; ++i) {
            x[i] = (uint8_t)random_u32();
        }
        for (size_t j = 0; j < 3; ++j) {
            target[j] = (int32_t)random_u32();
        }
        uint32_t rate = random_u32() >> random_below(32);
        CHECK_EQ(
            bp_train_sample(train, &result, x, (uint16_t)random_below(3 - (n & 1)), target, rate),
            BP_OK);
    }
}

static void test_arguments(void) {
    session_t s;
    bp_train_result_t result;
    const uint8_t x[6] = {0};
    CHECK_EQ(open_session(&s, nets + WINDOW_NET, configs), BP_OK);
    CHECK_EQ(bp_train_sample(&s.train, &result, x, 3, NULL, 1), BP_E_ARG);
    CHECK_EQ(bp_train_evaluate(&s.train, &result, x, 0xFFFF, NULL), BP_E_ARG);
    CHECK_EQ(bp_train_open(&s.train, s.image, s.image_bytes, configs, s.memory,
                           s.memory_bytes - 1, s.arena),
             BP_E_SPACE);
    CHECK_EQ(bp_train_open(&s.train, s.image, s.image_bytes - 1, configs, s.memory,
                           s.memory_bytes, s.arena),
             BP_E_TRUNCATED);
    close_session(&s);
    CHECK_EQ(open_session(&s, nets + SQUARES_NET, configs), BP_OK);
    CHECK_EQ(bp_train_sample(&s.train, &result, x, 0, NULL, 1), BP_E_ARG);
    close_session(&s);
}

/* A bias that leaves its master no room is refused. */
static void test_large_bias(void) {
    const train_net_t *net = nets + WINDOW_NET;
    session_t s;
    CHECK_EQ(open_session(&s, net, configs), BP_OK);
    uint32_t bias = word(net, RECORDS_AT + RECORD + PARTS + 4), value = 0x01000000;
    memcpy(s.image + bias, &value, 4);
    reseal(s.image, s.image_bytes);
    CHECK_EQ(bp_train_open(&s.train, s.image, s.image_bytes, configs, s.memory, s.memory_bytes,
                           s.arena),
             BP_E_PARAM);
    close_session(&s);
}

/* Any bytes as a state: refused, or gone on with. */
static void test_hostile_states(void) {
    int good = 0, tried = 0;
    for (uint32_t round = 0; round < 4000; ++round) {
        session_t s;
        const train_net_t *net = nets + random_below(3);
        const bp_train_config_t *config = configs + random_below(5);
        if (open_session(&s, net, config) == BP_OK) {
            run_samples(&s.train, 3);
            bp_train_seal(&s.train);
            for (uint32_t n = random_below(6); n != 0; --n) {
                uint32_t at = random_below(s.state_bytes);
                s.memory[at] = (uint8_t)(random_u32() >> random_below(8));
            }
            if (round % 8 == 0) {
                memset(s.memory + 40, 0x7F, s.state_bytes - 40);
            }
            int status = bp_train_resume(&s.train);
            CHECK(status == BP_OK || status == BP_E_ARG);
            if (status == BP_OK) {
                run_samples(&s.train, 8);
                bp_train_flush(&s.train);
                bp_train_seal(&s.train);
                bp_model_t model;
                CHECK_EQ(bp_model_open(&model, s.image, s.image_bytes), BP_OK);
                ++good;
            }
            ++tried;
        }
        close_session(&s);
    }
    printf("%d of %d states were gone on with\n", good, tried);
    CHECK(good > tried / 10 && good < tried);
}

static void test_hostile_images(void) {
    int good = 0, tried = 30000;
    for (int round = 0; round < tried; ++round) {
        const train_net_t *net = nets + random_below(3);
        const bp_train_config_t *config = configs + random_below(5);
        session_t s;
        uint16_t op;
        bp_model_t model;
        s.image_bytes = make_train_image(NULL, net);
        s.image = exact_bytes(s.image_bytes);
        make_train_image(s.image, net);
        uint32_t end = random_below(4) == 0 ? s.image_bytes : RECORDS_AT + 4 * RECORD;
        for (uint32_t n = 1 + random_below(3); n != 0; --n) {
            uint32_t at = 16 + random_below(end - 20);
            uint32_t other = 16 + random_below(end - 20);
            if (random_below(2) == 0) {
                s.image[at] ^= (uint8_t)(1u << random_below(8));
            } else {
                memmove(s.image + (at & ~3u), s.image + (other & ~3u), 4);
            }
        }
        reseal(s.image, s.image_bytes);
        s.memory = NULL;
        s.arena = NULL;
        int status = bp_model_open(&model, s.image, s.image_bytes);
        if (status == BP_OK) {
            status = bp_train_plan(&s.memory_bytes, &s.state_bytes, &op, &model, config);
        }
        if (status == BP_OK && s.memory_bytes < 1 << 20 && model.arena_bytes < 1 << 20) {
            s.memory = exact_bytes(s.memory_bytes);
            s.arena = exact_bytes(model.arena_bytes);
            status =
                bp_train_open(&s.train, s.image, s.image_bytes, config, s.memory, s.memory_bytes,
                              s.arena);
        }
        if (status == BP_OK && s.memory != NULL && s.train.n_layers > 0 &&
            bp_train_layer(&s.train, 0)->n_in == 6 &&
            bp_train_layer(&s.train, (uint16_t)(s.train.n_layers - 1))->n_out <= 3 &&
            bp_train_layer(&s.train, (uint16_t)(s.train.n_layers - 1))->n_out >= 2) {
            run_samples(&s.train, 7);
            bp_train_flush(&s.train);
            bp_train_seal(&s.train);
            CHECK_EQ(bp_model_open(&model, s.image, s.image_bytes), BP_OK);
            ++good;
        }
        close_session(&s);
    }
    printf("%d of %d changed images were trained\n", good, tried);
    CHECK(good > tried / 50 && good < tried);
}

int main(void) {
    test_parts_that_overlap();
    test_what_cannot_be_trained();
    test_arguments();
    test_large_bias();
    test_hostile_states();
    test_hostile_images();
    return 0;
}
