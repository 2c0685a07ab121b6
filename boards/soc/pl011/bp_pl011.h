/* Between Arm's UART and the chip that it is in. */
#ifndef BP_PL011_H
#define BP_PL011_H

/* UARTCLK runs at BP_UART_CLOCK_HZ, the UART has a clock, and its pins are its own. */
void bp_pl011_clock_and_pins(void);

#endif
