/* FE310: 16 MHz crystal, UART, and its line into the PLIC. */
#include <byteprop/port.h>

#include "bp_board.h"

#define PRCI_HFROSCCFG BP_REG32(0x10008000)
#define PRCI_HFXOSCCFG BP_REG32(0x10008004)
#define PRCI_PLLCFG BP_REG32(0x10008008)
#define OSC_ENABLE (1u << 30)
#define OSC_READY (1u << 31)
#define PLL_SELECT (1u << 16)
#define PLL_REFERENCE_CRYSTAL (1u << 17)
#define PLL_BYPASS (1u << 18)

#define GPIO_IOF_EN BP_REG32(0x10012038)
#define GPIO_IOF_SEL BP_REG32(0x1001203C)

#define UART_TXDATA BP_REG32(BP_UART_BASE + 0x00)
#define UART_RXDATA BP_REG32(BP_UART_BASE + 0x04)
#define UART_TXCTRL BP_REG32(BP_UART_BASE + 0x08)
#define UART_RXCTRL BP_REG32(BP_UART_BASE + 0x0C)
#define UART_IE BP_REG32(BP_UART_BASE + 0x10)
#define UART_DIV BP_REG32(BP_UART_BASE + 0x18)
#define TXDATA_FULL (1u << 31)
#define RXDATA_EMPTY (1u << 31)
#define CTRL_ENABLE 1u
#define IE_RX (1u << 1)

#define PLIC_PRIORITY(n) BP_REG32(0x0C000000 + 4 * (n))
#define PLIC_ENABLE(n) BP_REG32(0x0C002000 + 4 * ((n) / 32))
#define PLIC_THRESHOLD BP_REG32(0x0C200000)
#define PLIC_CLAIM BP_REG32(0x0C200004)

static void start_crystal(void) {
    PRCI_HFXOSCCFG = OSC_ENABLE;
    while (!(PRCI_HFXOSCCFG & OSC_READY)) {
    }
    PRCI_PLLCFG = PLL_BYPASS | PLL_REFERENCE_CRYSTAL;
    PRCI_PLLCFG = PLL_BYPASS | PLL_REFERENCE_CRYSTAL | PLL_SELECT;
    PRCI_HFROSCCFG = 0;
}

static void take_received(void) {
    for (;;) {
        uint32_t data = UART_RXDATA;
        if (data & RXDATA_EMPTY) {
            return;
        }
        bp_ring_put((uint8_t)data);
    }
}

void bp_soc_init(void) {
    uint32_t claimed;
    start_crystal();
    GPIO_IOF_SEL &= ~(uint32_t)BP_UART_PINS;
    GPIO_IOF_EN |= BP_UART_PINS;
    UART_DIV = (BP_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD - 1;
    UART_TXCTRL = CTRL_ENABLE;
    UART_RXCTRL = CTRL_ENABLE;
    UART_IE = IE_RX;
    PLIC_PRIORITY(BP_UART_IRQ) = 1;
    PLIC_THRESHOLD = 0;
    PLIC_ENABLE(BP_UART_IRQ) = 1u << (BP_UART_IRQ % 32);
    /* A reset by jump may have left an interrupt claimed. */
    claimed = PLIC_CLAIM;
    PLIC_CLAIM = claimed ? claimed : BP_UART_IRQ;
    /* That interrupt may have been for bytes that are here already: QEMU does not raise it again.
     */
    take_received();
}

void bp_soc_irq(void) {
    uint32_t claimed = PLIC_CLAIM;
    take_received();
    PLIC_CLAIM = claimed;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (UART_TXDATA & TXDATA_FULL) {
        }
        UART_TXDATA = *data++;
    }
}
