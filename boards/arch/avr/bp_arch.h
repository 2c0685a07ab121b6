/* AVR: interrupts, sleep, stack pointer. */
#ifndef BP_ARCH_H
#define BP_ARCH_H

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdint.h>

static inline void bp_arch_irq_off(void) {
    cli();
}

static inline void bp_arch_irq_on(void) {
    sei();
}

/* Called with interrupts off. The instruction after sei still runs, so none gets between. */
static inline void bp_arch_sleep(void) {
    sleep_enable();
    sei();
    sleep_cpu();
    sleep_disable();
}

static inline uintptr_t bp_arch_sp(void) {
    return SP;
}

#endif
