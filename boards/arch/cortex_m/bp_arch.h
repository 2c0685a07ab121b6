/* Cortex-M: interrupts, sleep, stack pointer. */
#ifndef BP_ARCH_H
#define BP_ARCH_H

#include <stdint.h>

static inline void bp_arch_irq_off(void) {
    __asm volatile("cpsid i" ::: "memory");
}

static inline void bp_arch_irq_on(void) {
    __asm volatile("cpsie i" ::: "memory");
}

/* Called with interrupts off; a pending one wakes the core all the same. */
static inline void bp_arch_sleep(void) {
    __asm volatile("dsb\n wfi" ::: "memory");
}

static inline uintptr_t bp_arch_sp(void) {
    uintptr_t sp;
    __asm volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

#endif
