#include "clock.h"

#include <byteprop/port.h>

#include "divide.h"

#define MICRO 1000000u

static uint64_t bp_mlperf_ticks;
static uint32_t bp_mlperf_last;

/* An emulator's counter may step back a little, which must not look like nearly 2^32 ticks. */
void mlperf_clock_update(void) {
    const uint32_t now = bp_port_ticks();
    const uint32_t passed = now - bp_mlperf_last;
    bp_mlperf_last = now;
    if (passed <= UINT32_MAX / 2u) {
        bp_mlperf_ticks += passed;
    }
}

uint64_t mlperf_microseconds(void) {
    mlperf_clock_update();
    uint64_t seconds = bp_mlperf_ticks;
    uint64_t rest = (uint64_t)mlperf_divide(&seconds, BP_TICK_HZ) * MICRO;
    (void)mlperf_divide(&rest, BP_TICK_HZ);
    return seconds * MICRO + rest;
}
