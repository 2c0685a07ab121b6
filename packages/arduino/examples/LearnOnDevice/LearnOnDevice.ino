/* One neuron learns y = 2x - 1 from six points, on the board and in integers.
 *
 * model.h was made with: byteprop convert line.tflite -o model.h. Its weight is random and its bias 0.
 * Training changes the model, so it is copied to RAM. On AVR models are read from flash alone: this
 * sketch is for boards with 32 bits. */
#include <Byteprop.h>
#include <math.h>

#include "model.h"

#if defined(__AVR__)
#error "LearnOnDevice needs a board with 32 bits: on AVR, models are read from flash alone"
#endif

static const float points[] = {-1, 0, 1, 2, 3, 4};
static const uint8_t n_points = sizeof points / sizeof points[0];

static bp_train_config_t config; /* what stays 0: no momentum, fixed scales, nothing frozen */
static const uint32_t rate_q24 = 167772; /* 0.01 */

static uint8_t image[sizeof bp_model_image] __attribute__((aligned(16)));
static uint8_t arena[BP_MODEL_ARENA_BYTES] __attribute__((aligned(4)));
static uint8_t memory[1024] __attribute__((aligned(4)));
static union {
    uint8_t bytes[BP_TRAIN_BYTES];
    void *aligned;
} storage;
static bp_train_t *const trainer = (bp_train_t *)&storage;
static bp_model_t model;

static float scale(int32_t q31, int lshift) {
    return ldexp((float)q31, lshift - 31);
}

static uint8_t input(float x) {
    const float step = scale(BP_MODEL_INPUT_SCALE_Q31, BP_MODEL_INPUT_SCALE_LSHIFT);
    const long q = lround(x / step) + BP_MODEL_INPUT_ZERO_POINT;
    return (uint8_t)(int8_t)constrain(q, -128L, 127L);
}

/* Targets have 16 more bits than outputs. */
static int32_t target(float y) {
    const float step = scale(BP_MODEL_OUTPUT_SCALE_Q31, BP_MODEL_OUTPUT_SCALE_LSHIFT);
    return (int32_t)lround(y / step * 65536.0f);
}

static float answer(float x) {
    arena[BP_MODEL_INPUT_OFFSET] = input(x);
    bp_infer_run(&model, arena, model.n_ops, NULL);
    const int8_t y = (int8_t)arena[BP_MODEL_OUTPUT_OFFSET];
    return scale(BP_MODEL_OUTPUT_SCALE_Q31, BP_MODEL_OUTPUT_SCALE_LSHIFT) *
           (y - BP_MODEL_OUTPUT_ZERO_POINT);
}

static bp_status_t begin() {
    uint32_t bytes, state_bytes;
    uint16_t op;
    config.seed = 1;  /* of the rounding */
    config.batch = 1; /* learn after every point */
    for (uint32_t i = 0; i < sizeof image; i++) {
        image[i] = bp_model_image[i];
    }
    BP_TRY(bp_model_open(&model, image, sizeof image));
    BP_TRY(bp_train_plan(&bytes, &state_bytes, &op, &model, &config));
    if (bytes > sizeof memory) {
        return BP_E_SPACE;
    }
    return bp_train_open(trainer, image, sizeof image, &config, memory, bytes, arena);
}

/* Once over all points; returns the sum of their squared errors. */
static bp_status_t epoch(float *loss) {
    const float unit =
        scale(BP_MODEL_OUTPUT_SCALE_Q31, BP_MODEL_OUTPUT_SCALE_LSHIFT) / 65536.0f;
    *loss = 0;
    for (uint8_t i = 0; i < n_points; i++) {
        bp_train_result_t result;
        const uint8_t x = input(points[i]);
        const int32_t y = target(2 * points[i] - 1);
        BP_TRY(bp_train_sample(trainer, &result, &x, 0, &y, rate_q24));
        *loss += (float)result.loss * unit * unit;
    }
    return BP_OK;
}

static void stop(bp_status_t status) {
    Serial.print("refused, status ");
    Serial.println((int)status);
    for (;;) {
    }
}

void setup() {
    Serial.begin(115200);
    bp_status_t status = begin();
    for (int n = 1; n <= 100 && status == BP_OK; n++) {
        float loss;
        status = epoch(&loss);
        if (n % 20 == 0) {
            Serial.print("epoch ");
            Serial.print(n);
            Serial.print(", loss ");
            Serial.println(loss, 4);
        }
    }
    if (status != BP_OK) {
        stop(status);
    }
    bp_train_seal(trainer);
    Serial.print("x = 10 gives ");
    Serial.println(answer(10));
    Serial.println("end");
}

void loop() {}
