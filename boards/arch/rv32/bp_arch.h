/* RV32 in machine mode: interrupts, sleep, stack pointer. */
#ifndef BP_ARCH_H
#define BP_ARCH_H

#include <stdint.h>

#define BP_MSTATUS_MIE 8

static inline void bp_arch_irq_off(void) {
    __asm volatile("csrci mstatus, %0" ::"i"(BP_MSTATUS_MIE) : "memory");
}

static inline void bp_arch_irq_on(void) {
    __asm volatile("csrsi mstatus, %0" ::"i"(BP_MSTATUS_MIE) : "memory");
}

/* Called with interrupts off; a pending one wakes the hart all the same. */
static inline void bp_arch_sleep(void) {
    __asm volatile("wfi" ::: "memory");
}

static inline uintptr_t bp_arch_sp(void) {
    uintptr_t sp;
    __asm volatile("mv %0, sp" : "=r"(sp));
    return sp;
}

#endif
