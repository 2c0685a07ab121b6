/* The CMSDK APB UART of the MPS2 boards. */
#include <byteprop/port.h>

#include "bp_board.h"

#define UART_DATA BP_REG32(BP_UART_BASE + 0x00)
#define UART_STATE BP_REG32(BP_UART_BASE + 0x04)
#define UART_CTRL BP_REG32(BP_UART_BASE + 0x08)
#define UART_INTCLEAR BP_REG32(BP_UART_BASE + 0x0C)
#define UART_BAUDDIV BP_REG32(BP_UART_BASE + 0x10)

#define STATE_TX_FULL (1u << 0)
#define STATE_RX_FULL (1u << 1)
#define CTRL_TX (1u << 0)
#define CTRL_RX (1u << 1)
#define CTRL_RX_INTERRUPT (1u << 3)
#define INT_RX (1u << 1)

void bp_soc_init(void) {
    UART_BAUDDIV = (BP_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD;
    UART_CTRL = CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT;
}

void bp_soc_irq(void) {
    UART_INTCLEAR = INT_RX;
    while (UART_STATE & STATE_RX_FULL) {
        bp_ring_put((uint8_t)UART_DATA);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (UART_STATE & STATE_TX_FULL) {
        }
        UART_DATA = *data++;
    }
}
