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

/* Called with interrupts off; a pending one wakes the hart all the same. A board whose chip is not
 * known to do so defines BP_STAYS_AWAKE. */
static inline void bp_arch_sleep(void) {
#ifndef BP_STAYS_AWAKE
    __asm volatile("wfi" ::: "memory");
#endif
}

static inline uintptr_t bp_arch_sp(void) {
    uintptr_t sp;
    __asm volatile("mv %0, sp" : "=r"(sp));
    return sp;
}

/* The start-up code puts every register and all memory that the program relies on into the state
 * of a fresh start, so jumping there is a reset on every RV32, whatever its watchdog can do. */
__attribute__((noreturn)) static inline void bp_arch_restart(void) {
    bp_arch_irq_off();
    __asm volatile("j bp_start");
    __builtin_unreachable();
}

#endif
