/* QEMU's RISC-V `virt` machine: a 16550 UART. */
#include <byteprop/port.h>

#include "bp_board.h"
#include "bp_plic.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))

#define UART_DATA REG8(BP_UART_BASE + 0)
#define UART_IER REG8(BP_UART_BASE + 1)
#define UART_FCR REG8(BP_UART_BASE + 2)
#define UART_LCR REG8(BP_UART_BASE + 3)
#define UART_LSR REG8(BP_UART_BASE + 5)
#define UART_DIVISOR_LOW REG8(BP_UART_BASE + 0)
#define UART_DIVISOR_HIGH REG8(BP_UART_BASE + 1)
#define IER_RX 1u
#define FCR_ENABLE_AND_CLEAR 7u
#define LCR_8_BITS 3u
#define LCR_DIVISOR 0x80u
#define LSR_RX_READY (1u << 0)
#define LSR_TX_EMPTY (1u << 5)

#define DIVISOR ((BP_UART_HZ + 8UL * BP_BAUD) / (16UL * BP_BAUD))

void bp_uart_receive(void) {
    while (UART_LSR & LSR_RX_READY) {
        bp_ring_put(UART_DATA);
    }
}

void bp_uart_init(void) {
    UART_LCR = LCR_DIVISOR;
    UART_DIVISOR_LOW = (uint8_t)DIVISOR;
    UART_DIVISOR_HIGH = (uint8_t)(DIVISOR >> 8);
    UART_LCR = LCR_8_BITS;
    UART_FCR = FCR_ENABLE_AND_CLEAR;
    (void)UART_DATA; /* QEMU holds further bytes back until the one before is read */
    UART_IER = IER_RX;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(UART_LSR & LSR_TX_EMPTY)) {
        }
        UART_DATA = *data++;
    }
}
