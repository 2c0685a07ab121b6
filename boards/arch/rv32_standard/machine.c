/* Interrupts, ticks and reset by what the privileged specification has: `mie` and `minstret`. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#define MIE_EXTERNAL (1u << 11)

void bp_arch_init(void) {
    __asm volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
}

void bp_ticks_init(void) {}

uint32_t bp_port_ticks(void) {
    uint32_t instructions;
    __asm volatile("csrr %0, minstret" : "=r"(instructions));
    return instructions;
}

void bp_port_reset(void) {
    bp_soc_drain();
    bp_arch_restart();
}
