/* Between a USART and the family whose chip it is in. */
#ifndef BP_STM32_H
#define BP_STM32_H

/* The clock that the USART counts runs at BP_CLOCK_HZ, the USART has a clock, and its pins are its
 * own. */
void bp_stm32_clock_and_pins(void);

#endif
