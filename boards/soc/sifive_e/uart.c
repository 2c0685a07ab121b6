/* FE310: 16 MHz crystal and UART. */
#include <byteprop/port.h>

#include "bp_board.h"
#include "bp_plic.h"

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

static void start_crystal(void) {
    PRCI_HFXOSCCFG = OSC_ENABLE;
    while (!(PRCI_HFXOSCCFG & OSC_READY)) {
    }
    PRCI_PLLCFG = PLL_BYPASS | PLL_REFERENCE_CRYSTAL;
    PRCI_PLLCFG = PLL_BYPASS | PLL_REFERENCE_CRYSTAL | PLL_SELECT;
}

void bp_uart_receive(void) {
    for (;;) {
        uint32_t data = UART_RXDATA;
        if (data & RXDATA_EMPTY) {
            return;
        }
        bp_ring_put((uint8_t)data);
    }
}

void bp_uart_init(void) {
    start_crystal();
    GPIO_IOF_SEL &= ~(uint32_t)BP_UART_PINS;
    GPIO_IOF_EN |= BP_UART_PINS;
    UART_DIV = (BP_CLOCK_HZ + BP_BAUD / 2) / BP_BAUD - 1;
    UART_TXCTRL = CTRL_ENABLE;
    UART_RXCTRL = CTRL_ENABLE;
    UART_IE = IE_RX;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (UART_TXDATA & TXDATA_FULL) {
        }
        UART_TXDATA = *data++;
    }
}
