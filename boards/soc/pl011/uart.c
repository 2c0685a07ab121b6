/* Arm's PrimeCell UART. PL011 Technical Reference Manual (DDI 0183), 3.3. Its interrupt for bytes
 * that wait in the FIFO comes when half of it is full, or 32 bit times after the last one. */
#include <byteprop/port.h>

#include "bp_board.h"
#include "bp_pl011.h"

#define UART_DR BP_REG32(BP_UART_BASE + 0x00)
#define UART_FR BP_REG32(BP_UART_BASE + 0x18)
#define UART_IBRD BP_REG32(BP_UART_BASE + 0x24)
#define UART_FBRD BP_REG32(BP_UART_BASE + 0x28)
#define UART_LCRH BP_REG32(BP_UART_BASE + 0x2C)
#define UART_CR BP_REG32(BP_UART_BASE + 0x30)
#define UART_IMSC BP_REG32(BP_UART_BASE + 0x38)
#define UART_ICR BP_REG32(BP_UART_BASE + 0x44)

#define FR_BUSY (1u << 3)
#define FR_RX_EMPTY (1u << 4)
#define FR_TX_FULL (1u << 5)
#define LCRH_8_BITS_FIFO (3u << 5 | 1u << 4)
#define CR_ENABLE_TX_RX (1u << 0 | 1u << 8 | 1u << 9)
#define INT_RX_AND_TIMEOUT (1u << 4 | 1u << 6)

/* The divisor in 64ths. */
#define DIVISOR ((4u * BP_UART_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD)

void bp_soc_init(void) {
    bp_pl011_clock_and_pins();
    UART_IBRD = DIVISOR / 64;
    UART_FBRD = DIVISOR % 64;
    UART_LCRH = LCRH_8_BITS_FIFO; /* after the divisor, which it makes valid */
    UART_IMSC = INT_RX_AND_TIMEOUT;
    UART_CR = CR_ENABLE_TX_RX;
}

void bp_soc_irq(void) {
    UART_ICR = INT_RX_AND_TIMEOUT;
    while (!(UART_FR & FR_RX_EMPTY)) {
        bp_ring_put((uint8_t)UART_DR);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (UART_FR & FR_TX_FULL) {
        }
        UART_DR = *data++;
    }
}

void bp_soc_drain(void) {
    while (UART_FR & FR_BUSY) {
    }
}
