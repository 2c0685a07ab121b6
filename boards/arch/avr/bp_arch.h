/* AVR: interrupts, sleep, stack pointer. */
#ifndef BP_ARCH_H
#define BP_ARCH_H

#include <avr/interrupt.h>
#include <avr/io.h>
#include <stdint.h>

static inline void bp_arch_irq_off(void) {
    cli();
}

static inline void bp_arch_irq_on(void) {
    sei();
}

/* Called with interrupts off; returns at once. QEMU up to 7.2 returns from the interrupt that wakes
 * it to the sleep instruction itself, and so never gets past it. */
static inline void bp_arch_sleep(void) {}

static inline uintptr_t bp_arch_sp(void) {
    return SP;
}

#endif
