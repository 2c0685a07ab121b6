/* The board as byteprop's device: a PC compares its outputs with the reference, byte for byte.
 *
 *   byteprop verify sine.tflite --board arduino --port PORT
 *
 * Boards with 32 bits take any model that fits from the PC. An AVR runs the one of model.h: for another
 * one write it anew with byteprop convert MODEL.tflite -o model.h, and upload this sketch again. */
#include <Byteprop.h>

#include "model.h"

#if defined(__AVR__)
static uint8_t pool[(BP_MODEL_ARENA_BYTES + 3) / 4 * 4];
#endif

void setup() {
    Serial.begin(115200);
    Byteprop.useModel(bp_model_image, bp_model_image_bytes);
#if defined(__AVR__)
    Byteprop.begin(Serial, pool);
#else
    Byteprop.begin(Serial);
#endif
}

void loop() {
    Byteprop.poll();
}
