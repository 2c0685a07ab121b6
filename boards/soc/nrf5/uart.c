/* UART of the nRF51 and nRF52 without DMA, and the crystal that its baud rate and the timer need.
 * nRF51 Series Reference Manual 3.0, "UART", "GPIO", "CLOCK"; nRF52833 Product Specification 1.5,
 * 6.33 "UART", 6.9 "GPIO", 5.4 "CLOCK". */
#include <byteprop/port.h>

#include "bp_board.h"

#define CLOCK_HFCLKSTART BP_REG32(0x40000000)
#define CLOCK_HFCLKSTARTED BP_REG32(0x40000100)

#define UART_STARTRX BP_REG32(BP_UART_BASE + 0x000)
#define UART_STARTTX BP_REG32(BP_UART_BASE + 0x008)
#define UART_RXDRDY BP_REG32(BP_UART_BASE + 0x108)
#define UART_TXDRDY BP_REG32(BP_UART_BASE + 0x11C)
#define UART_INTENSET BP_REG32(BP_UART_BASE + 0x304)
#define UART_ENABLE BP_REG32(BP_UART_BASE + 0x500)
#define UART_PSELTXD BP_REG32(BP_UART_BASE + 0x50C)
#define UART_PSELRXD BP_REG32(BP_UART_BASE + 0x514)
#define UART_RXD BP_REG32(BP_UART_BASE + 0x518)
#define UART_TXD BP_REG32(BP_UART_BASE + 0x51C)
#define UART_BAUDRATE BP_REG32(BP_UART_BASE + 0x524)

/* Pins are numbered port * 32 + pin; the nRF51 has one port. */
#define GPIO_PORT(n) (0x50000500 + 0x300 * ((n) / 32))
#define GPIO_OUTSET(n) BP_REG32(GPIO_PORT(n) + 0x008)
#define GPIO_PIN_CNF(n) BP_REG32(GPIO_PORT(n) + 0x200 + 4 * ((n) % 32))
#define PIN_CNF_OUTPUT 3u
#define PIN_CNF_INPUT_PULLUP 0xCu

#define UART_ENABLED 4u
#define INT_RXDRDY (1u << 2)

/* The register holds baud * 2^32 / 16 MHz, of which the upper 20 bits count. */
#define BAUD_REGISTER ((uint32_t)((((uint64_t)BP_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u))

#ifdef BP_NRF52
void bp_nrf52_start(void);
#else
static void bp_nrf52_start(void) {}
#endif

void bp_soc_init(void) {
    bp_nrf52_start();
    CLOCK_HFCLKSTARTED = 0;
    CLOCK_HFCLKSTART = 1;
    while (CLOCK_HFCLKSTARTED == 0) {
    }
    GPIO_OUTSET(BP_UART_TX_PIN) = 1u << BP_UART_TX_PIN % 32; /* idles high, so that no start bit is seen */
    GPIO_PIN_CNF(BP_UART_TX_PIN) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(BP_UART_RX_PIN) = PIN_CNF_INPUT_PULLUP;
    UART_ENABLE = 0; /* a boot loader may have left it on, with DMA */
    UART_PSELTXD = BP_UART_TX_PIN;
    UART_PSELRXD = BP_UART_RX_PIN;
    UART_BAUDRATE = BAUD_REGISTER;
    UART_ENABLE = UART_ENABLED;
    UART_INTENSET = INT_RXDRDY;
    UART_STARTTX = 1;
    UART_STARTRX = 1;
}

void bp_soc_irq(void) {
    while (UART_RXDRDY) {
        /* Cleared before the byte is taken: taking it raises the event for the next one. */
        UART_RXDRDY = 0;
        bp_ring_put((uint8_t)UART_RXD);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        UART_TXDRDY = 0;
        UART_TXD = *data++;
        while (UART_TXDRDY == 0) {
        }
    }
}

/* TXDRDY came for the last byte. */
void bp_soc_drain(void) {}
