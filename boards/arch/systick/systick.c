/* SysTick, 24 bits counting down at the CPU's clock, extended to 32 bits counting up. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#define SYST_CSR BP_REG32(0xE000E010)
#define SYST_RVR BP_REG32(0xE000E014)
#define SYST_CVR BP_REG32(0xE000E018)
#define SCB_ICSR BP_REG32(0xE000ED04)

#define SYST_CSR_ENABLE_WITH_INTERRUPT 7u
#define SCB_ICSR_PENDSTSET (1u << 26)
#define SYST_PERIOD 0x1000000u

void bp_systick_handler(void);

static volatile uint32_t systick_base;

void bp_ticks_init(void) {
    SYST_RVR = SYST_PERIOD - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_ENABLE_WITH_INTERRUPT;
}

void bp_systick_handler(void) {
    systick_base = systick_base + SYST_PERIOD;
}

uint32_t bp_port_ticks(void) {
    uint32_t base;
    uint32_t left;
    bp_arch_irq_off();
    base = systick_base;
    left = SYST_CVR;
    if (SCB_ICSR & SCB_ICSR_PENDSTSET) {
        /* Wrapped, and the handler has not run yet: what was read may be from before. */
        base += SYST_PERIOD;
        left = SYST_CVR;
    }
    bp_arch_irq_on();
    return base + (SYST_PERIOD - 1 - left);
}
