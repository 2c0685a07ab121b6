/* The device program's port over a Stream: csrc/app asks, through <byteprop/port.h>. */
#if defined(ARDUINO)
#include "Byteprop.h"

#include <byteprop/config.h>
#include <byteprop/port.h>

#if defined(__AVR__)
#include <avr/wdt.h>
#endif

static Stream *stream;

BytepropDevice Byteprop;

void BytepropDevice::useModel(const uint8_t *image, uint32_t bytes) {
    bp_app_given.image = image;
    bp_app_given.image_bytes = bytes;
}

void BytepropDevice::begin(Stream &to, uint8_t *pool, uint32_t bytes) {
    stream = &to;
    bp_app_given.pool = pool;
    bp_app_given.pool_bytes = bytes;
    bp_app_begin();
}

/* As many bytes as were there at the beginning: the rest of loop() has its turn, too. */
void BytepropDevice::poll() {
    for (int n = stream == NULL ? 0 : stream->available(); n > 0; n--) {
        bp_app_poll();
    }
}

extern "C" {

void bp_port_init(void) {}

int bp_port_rx(void) {
    return stream->read();
}

uint32_t bp_port_rx_overruns(void) {
    return 0; /* cores do not count what they drop */
}

/* A USB port that nobody reads takes nothing: then the frame is lost, and the host asks again. */
void bp_port_tx(const uint8_t *data, uint16_t n) {
    const uint32_t begin = millis();
    while (n != 0 && millis() - begin < 1000) {
        const uint16_t sent = (uint16_t)stream->write(data, n);
        data += sent;
        n = (uint16_t)(n - sent);
    }
}

uint32_t bp_port_ticks(void) {
    return micros();
}

/* The stack is the core's, and it is not measured. */
uint32_t bp_port_stack_free(void) {
    return 0;
}

uint32_t bp_port_stack_bytes(void) {
    return 0;
}

int bp_port_stack_intact(void) {
    return 1;
}

#if defined(__AVR__)
/* The watchdog stays on after the reset that it made, until this. */
__attribute__((naked, used, section(".init3"))) void bp_watchdog_off(void) {
    MCUSR = 0;
    wdt_disable();
}
#endif

/* Where nobody knows how to reset the chip it returns: the host opens a new session in any case. */
void bp_port_reset(void) {
    stream->flush();
#if defined(__AVR__)
    wdt_enable(WDTO_15MS);
    for (;;) {
    }
#elif defined(ESP32) || defined(ESP8266)
    ESP.restart();
#elif defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
    delay(20); /* USB sends later */
    *(volatile uint32_t *)0xE000ED0CU = 0x05FA0004U; /* AIRCR: SYSRESETREQ */
    for (;;) {
    }
#endif
}
}

#endif
