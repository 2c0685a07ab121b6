/* TIMER0 at 16 MHz and 32 bits: the CPU's clock, and this Cortex-M0 was made without SysTick. */
#include <byteprop/port.h>

#include "bp_board.h"

#define TIMER_START BP_REG32(0x40008000)
#define TIMER_CAPTURE0 BP_REG32(0x40008040)
#define TIMER_BITMODE BP_REG32(0x40008508)
#define TIMER_PRESCALER BP_REG32(0x40008510)
#define TIMER_CC0 BP_REG32(0x40008540)

#define BITMODE_32 3u

void bp_ticks_init(void) {
    TIMER_BITMODE = BITMODE_32;
    TIMER_PRESCALER = 0;
    TIMER_START = 1;
}

uint32_t bp_port_ticks(void) {
    TIMER_CAPTURE0 = 1;
    return TIMER_CC0;
}
