/* QEMU's RISC-V `virt` machine: a 16550 UART, and its line into the PLIC. */
#include <byteprop/port.h>

#include "bp_board.h"

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

#define PLIC_PRIORITY(n) BP_REG32(0x0C000000 + 4 * (n))
#define PLIC_ENABLE(n) BP_REG32(0x0C002000 + 4 * ((n) / 32))
#define PLIC_THRESHOLD BP_REG32(0x0C200000)
#define PLIC_CLAIM BP_REG32(0x0C200004)

#define DIVISOR ((BP_UART_HZ + 8UL * BP_BAUD) / (16UL * BP_BAUD))

static void take_received(void) {
    while (UART_LSR & LSR_RX_READY) {
        bp_ring_put(UART_DATA);
    }
}

void bp_soc_init(void) {
    uint32_t claimed;
    UART_LCR = LCR_DIVISOR;
    UART_DIVISOR_LOW = (uint8_t)DIVISOR;
    UART_DIVISOR_HIGH = (uint8_t)(DIVISOR >> 8);
    UART_LCR = LCR_8_BITS;
    UART_FCR = FCR_ENABLE_AND_CLEAR;
    (void)UART_DATA; /* QEMU holds further bytes back until the one before is read */
    UART_IER = IER_RX;
    PLIC_PRIORITY(BP_UART_IRQ) = 1;
    PLIC_THRESHOLD = 0;
    PLIC_ENABLE(BP_UART_IRQ) = 1u << (BP_UART_IRQ % 32);
    /* A reset by jump may have left an interrupt claimed. */
    claimed = PLIC_CLAIM;
    PLIC_CLAIM = claimed ? claimed : BP_UART_IRQ;
    take_received();
}

void bp_soc_irq(void) {
    uint32_t claimed = PLIC_CLAIM;
    take_received();
    PLIC_CLAIM = claimed;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(UART_LSR & LSR_TX_EMPTY)) {
        }
        UART_DATA = *data++;
    }
}
