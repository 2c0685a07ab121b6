/* AVR: what avr-libc's start-up leaves to the program: stack bounds, faults, reset. */
#include <avr/wdt.h>
#include <byteprop/link.h>
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

int main(void);
void bp_early(void);
void abort(void) __attribute__((noreturn));

/* The watchdog stays on after the reset it made. avr-libc runs this before it sets up memory. */
__attribute__((naked, used, section(".init3"))) void bp_early(void) {
    MCUSR = 0;
    wdt_disable();
}

int main(void) {
    bp_stack_paint();
    bp_app_main();
    bp_port_reset();
    return 0;
}

void bp_arch_init(void) {}

/* An interrupt without a handler. */
ISR(BADISR_vect) {
    bp_app_fault(BP_FAULT_HARD, 0, 0);
}

/* gcc knows two of the three bytes of a return address on chips with more than 128 KB of flash. */
#if defined(__AVR_3_BYTE_PC__)
#define CALLER 0
#else
#define CALLER ((uint32_t)(uintptr_t)__builtin_return_address(0) * 2u)
#endif

/* This CPU has no trap instruction: gcc calls abort where it knows that the program went wrong. */
void abort(void) {
    bp_app_fault(BP_FAULT_HARD, CALLER, 0);
    bp_port_reset();
    __builtin_unreachable();
}

/* The watchdog resets the peripherals too. Where there is none (emulators), the jump that comes
 * after more than its time serves: start-up code clears all memory and sets up the peripherals. */
void bp_port_reset(void) {
    uint32_t i;
    cli();
    wdt_enable(WDTO_15MS);
    for (i = 0; i < BP_CLOCK_HZ / 100; i++) {
        __asm volatile("nop");
    }
    __asm volatile("jmp 0");
    __builtin_unreachable();
}
