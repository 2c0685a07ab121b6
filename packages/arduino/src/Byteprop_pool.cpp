/* The default pool, in a file of its own: a sketch that gives a pool does not link it. */
#if defined(ARDUINO)
#include "Byteprop.h"

#ifndef BYTEPROP_POOL_BYTES
#if defined(RAMEND) && RAMEND < 0x1000
#define BYTEPROP_POOL_BYTES 256
#elif defined(__AVR__)
#define BYTEPROP_POOL_BYTES 4096
#elif defined(ESP32) || defined(ARDUINO_ARCH_MBED) || defined(ARDUINO_ARCH_NRF52) || \
    defined(ARDUINO_ARCH_RP2040)
#define BYTEPROP_POOL_BYTES 65536
#else
#define BYTEPROP_POOL_BYTES 16384
#endif
#endif

static uint8_t pool[BYTEPROP_POOL_BYTES] __attribute__((aligned(16)));

void BytepropDevice::begin(Stream &stream) {
    begin(stream, pool, sizeof pool);
}

#endif
