/* The USART of the second generation: STM32L4, G0 and later. RM0394 (STM32L432) 38.8, RM0444
 * (STM32G071) 33.8. */
#include <byteprop/port.h>

#include "bp_board.h"
#include "bp_stm32.h"

#define USART_CR1 BP_REG32(BP_UART_BASE + 0x00)
#define USART_BRR BP_REG32(BP_UART_BASE + 0x0C)
#define USART_ISR BP_REG32(BP_UART_BASE + 0x1C)
#define USART_ICR BP_REG32(BP_UART_BASE + 0x20)
#define USART_RDR BP_REG32(BP_UART_BASE + 0x24)
#define USART_TDR BP_REG32(BP_UART_BASE + 0x28)

#define ISR_ORE (1u << 3)
#define ISR_RXNE (1u << 5)
#define ISR_TC (1u << 6)
#define ISR_TXE (1u << 7)
#define ICR_ORECF (1u << 3)
#define CR1_UE_TE_RE_RXNEIE (1u << 0 | 1u << 3 | 1u << 2 | 1u << 5)

void bp_soc_init(void) {
    bp_stm32_clock_and_pins();
    USART_BRR = (BP_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD;
    USART_CR1 = CR1_UE_TE_RE_RXNEIE;
}

void bp_soc_irq(void) {
    /* After an overrun the USART receives nothing more until it is cleared. */
    USART_ICR = ICR_ORECF;
    while (USART_ISR & ISR_RXNE) {
        bp_ring_put((uint8_t)USART_RDR);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(USART_ISR & ISR_TXE)) {
        }
        USART_TDR = *data++;
    }
}

void bp_soc_drain(void) {
    while (!(USART_ISR & ISR_TC)) {
    }
}
