/* What a UART supplies whose interrupt comes through a PLIC. */
#ifndef BP_PLIC_H
#define BP_PLIC_H

/* Clocks, UART on, its receive interrupt enabled in the UART itself. */
void bp_uart_init(void);
/* Takes all received bytes, each to bp_ring_put. */
void bp_uart_receive(void);

#endif
