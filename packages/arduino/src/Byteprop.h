/* byteprop for Arduino: the C library, and the device program over any Stream, which a PC asks with
 *
 *   byteprop verify model.tflite --board arduino --port PORT */
#ifndef BYTEPROP_ARDUINO_H
#define BYTEPROP_ARDUINO_H

#include <byteprop/anomaly.h>
#include <byteprop/audio.h>
#include <byteprop/infer.h>
#include <byteprop/model.h>
#include <byteprop/status.h>
#include <byteprop/train.h>

#if defined(ARDUINO) && defined(__cplusplus)
#include <Arduino.h>

class BytepropDevice {
  public:
    /* A model in flash: what `byteprop convert model.tflite -o model.h` wrote. Call it before begin. On
     * AVR it is the only way; other boards take models from the PC as well. */
    void useModel(const uint8_t *image, uint32_t bytes);

    /* Begins, over a stream that has been begun: Serial, Serial1, a Bluetooth stream. pool: RAM for an
     * uploaded model and for activations, aligned to 16 bytes. */
    void begin(Stream &stream, uint8_t *pool, uint32_t bytes);
    template <size_t N> void begin(Stream &stream, uint8_t (&pool)[N]) {
        begin(stream, pool, N);
    }
    /* With a pool of 256 bytes to 64 KB, by the board's RAM. */
    void begin(Stream &stream);

    /* Answers what has been received. Call it in loop(), often. */
    void poll();
};

extern BytepropDevice Byteprop;

#endif
#endif
