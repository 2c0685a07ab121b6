/* Says what is on two pictures of Fashion-MNIST, and whether the outputs are those of the PC.
 *
 * model.h was made with: byteprop convert fashion_mlp.tflite -o model.h; samples.h has the pictures.
 * Both stay in flash, which takes 19 KB besides the program. */
#include <Byteprop.h>

#include "model.h"
#include "samples.h"

static const char *const names[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

static bp_model_t model;
static uint8_t arena[BP_MODEL_ARENA_BYTES] __attribute__((aligned(4)));

static const int8_t *classify(const uint8_t *picture) {
    for (uint16_t i = 0; i < BP_MODEL_INPUT_BYTES; i++) {
        arena[BP_MODEL_INPUT_OFFSET + i] = pgm_read_byte(picture + i);
    }
    bp_infer_run(&model, arena, model.n_ops, NULL);
    return (const int8_t *)(arena + BP_MODEL_OUTPUT_OFFSET);
}

static uint8_t largest(const int8_t *scores) {
    uint8_t best = 0;
    for (uint8_t i = 1; i < BP_MODEL_OUTPUT_BYTES; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

static uint8_t differences(const int8_t *scores, const uint8_t *expected) {
    uint8_t n = 0;
    for (uint8_t i = 0; i < BP_MODEL_OUTPUT_BYTES; i++) {
        n += (uint8_t)scores[i] != pgm_read_byte(expected + i);
    }
    return n;
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
    for (uint8_t i = 0; i < SAMPLES; i++) {
        const unsigned long begin = micros();
        const int8_t *scores = classify(sample_inputs[i]);
        const unsigned long end = micros();
        Serial.print(names[largest(scores)]);
        Serial.print(", bytes that differ from the PC: ");
        Serial.print(differences(scores, sample_outputs[i]));
        Serial.print(", us: ");
        Serial.println(end - begin);
    }
    Serial.println("end");
}

void loop() {}
