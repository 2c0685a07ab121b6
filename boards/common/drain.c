/* Before a reset, for UARTs that have no flag for "everything has left". */
#include <byteprop/port.h>

#include "bp_board.h"

/* Bits of a FIFO of 32 bytes and what is behind it; an iteration takes at least one cycle. */
#define FIFO_BITS 400u

__attribute__((weak)) void bp_soc_drain(void) {
    uint32_t i;
    for (i = 0; i < BP_CLOCK_HZ / BP_BAUD * FIFO_BITS; i++) {
        __asm volatile("nop");
    }
}
