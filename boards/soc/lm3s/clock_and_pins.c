/* LM3S6965: UART0 on PA0 and PA1 at the crystal of 8 MHz; the internal oscillator is too inaccurate
 * for a UART (data sheet, "System Control": 12 MHz, 30 % off; not checked against the document).
 * LM3S6965 data sheet, RCC 0x060, RCGC1 0x104, RCGC2 0x108, GPIOAFSEL 0x420, GPIODEN 0x51C. */
#include "bp_board.h"
#include "bp_pl011.h"

#define SYSCTL_RCC BP_REG32(0x400FE060)
#define SYSCTL_RCGC1 BP_REG32(0x400FE104)
#define SYSCTL_RCGC2 BP_REG32(0x400FE108)
#define GPIOA_AFSEL BP_REG32(0x40004420)
#define GPIOA_PUR BP_REG32(0x40004510)
#define GPIOA_DEN BP_REG32(0x4000451C)

#define RCC_XTAL_8MHZ (0xEu << 6)
#define RCC_BYPASS_PLL (1u << 11)
#define RCC_PLL_OFF (1u << 13)
#define RCC_MAIN_OSCILLATOR (0u << 4)
#define RCGC1_UART0 (1u << 0)
#define RCGC2_GPIOA (1u << 0)
#define PA0_RX (1u << 0)
#define PA1_TX (1u << 1)

void bp_pl011_clock_and_pins(void) {
    SYSCTL_RCC = RCC_XTAL_8MHZ | RCC_BYPASS_PLL | RCC_PLL_OFF | RCC_MAIN_OSCILLATOR;
    SYSCTL_RCGC1 |= RCGC1_UART0;
    SYSCTL_RCGC2 |= RCGC2_GPIOA;
    GPIOA_AFSEL |= PA0_RX | PA1_TX;
    GPIOA_PUR |= PA0_RX; /* an open line must not look like a start bit */
    GPIOA_DEN |= PA0_RX | PA1_TX;
}
