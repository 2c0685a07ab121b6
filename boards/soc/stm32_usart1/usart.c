/* The USART of the first generation: STM32F1, F2, F4. RM0390 (STM32F446) 25.6, RM0008 (STM32F103)
 * 27.6. An overrun is cleared by reading the status and then the data, as the interrupt does. */
#include <byteprop/port.h>

#include "bp_board.h"
#include "bp_stm32.h"

#define USART_SR BP_REG32(BP_UART_BASE + 0x00)
#define USART_DR BP_REG32(BP_UART_BASE + 0x04)
#define USART_BRR BP_REG32(BP_UART_BASE + 0x08)
#define USART_CR1 BP_REG32(BP_UART_BASE + 0x0C)

#define SR_ORE (1u << 3)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)
#define CR1_UE_TE_RE_RXNEIE (1u << 13 | 1u << 3 | 1u << 2 | 1u << 5)

void bp_soc_init(void) {
    bp_stm32_clock_and_pins();
    USART_BRR = (BP_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD;
    USART_CR1 = CR1_UE_TE_RE_RXNEIE;
}

void bp_soc_irq(void) {
    while (USART_SR & (SR_RXNE | SR_ORE)) {
        bp_ring_put((uint8_t)USART_DR);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(USART_SR & SR_TXE)) {
        }
        USART_DR = *data++;
    }
}

void bp_soc_drain(void) {
    while (!(USART_SR & SR_TC)) {
    }
}
