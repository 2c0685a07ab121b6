/* A network with 321 weights and biases computes sin(x). Open the serial plotter at 115200 baud.
 *
 * model.h was made with: byteprop convert sine.tflite -o model.h */
#include <Byteprop.h>
#include <math.h>

#include "model.h"

static bp_model_t model;
static uint8_t arena[BP_MODEL_ARENA_BYTES] __attribute__((aligned(4)));

/* The header gives scales as integers: scale = q31 * 2^(lshift - 31). */
static float scale(int32_t q31, int lshift) {
    return ldexp((float)q31, lshift - 31);
}

static int8_t quantized(float real) {
    const float step = scale(BP_MODEL_INPUT_SCALE_Q31, BP_MODEL_INPUT_SCALE_LSHIFT);
    const long q = lround(real / step) + BP_MODEL_INPUT_ZERO_POINT;
    return (int8_t)constrain(q, -128L, 127L);
}

static float network(float x) {
    arena[BP_MODEL_INPUT_OFFSET] = (uint8_t)quantized(x);
    bp_infer_run(&model, arena, model.n_ops, NULL);
    const int8_t y = (int8_t)arena[BP_MODEL_OUTPUT_OFFSET];
    return scale(BP_MODEL_OUTPUT_SCALE_Q31, BP_MODEL_OUTPUT_SCALE_LSHIFT) *
           (y - BP_MODEL_OUTPUT_ZERO_POINT);
}

void setup() {
    Serial.begin(115200);
    const bp_status_t status = bp_model_open(&model, bp_model_image, bp_model_image_bytes);
    if (status != BP_OK) {
        Serial.print("the model was refused, status ");
        Serial.println((int)status);
        for (;;) {
        }
    }
    for (float x = 0; x < 6.28f; x += 0.1f) {
        Serial.print(sin(x));
        Serial.print(' ');
        Serial.println(network(x));
    }
    Serial.println("end");
}

void loop() {}
