/* Between the parts of a board: common code, arch/<arch> and soc/<family>. Each of those supplies
 * what is listed under its name; an arch also supplies bp_arch.h. */
#ifndef BP_BOARD_H
#define BP_BOARD_H

#include <stdint.h>

/* common: puts a received byte into the ring; only from the receive interrupt. */
void bp_ring_put(uint8_t byte);
/* common: paints the stack from its end up to the caller's frame; interrupts off. */
void bp_stack_paint(void);

/* arch/freestanding: copies data, zeroes bss. */
void bp_data_init(void);

/* arch, or the soc where its timer is the better counter: starts what bp_port_ticks reads. */
void bp_ticks_init(void);
/* arch: prepares the interrupt controller and lets the UART's receive interrupt through. */
void bp_arch_init(void);

/* soc: clocks, UART on, its receive interrupt enabled in the UART itself. */
void bp_soc_init(void);
/* soc: the UART's interrupt; takes all received bytes, each to bp_ring_put. */
void bp_soc_irq(void);
/* soc: waits until the last byte has left the transmitter, before a reset. common has one for UARTs
 * without a flag for that. */
void bp_soc_drain(void);

#define BP_REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

#endif
