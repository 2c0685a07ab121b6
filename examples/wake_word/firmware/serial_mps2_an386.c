/* UART 0 of the Arm MPS2 with the AN386 image. */
#include "serial.h"

#define UART0_DATA (*(volatile uint32_t *)0x40004000)
#define UART0_STATE (*(volatile uint32_t *)0x40004004)
#define UART0_CTRL (*(volatile uint32_t *)0x40004008)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX_RX 3u

void serial_init(void) {
    UART0_CTRL = CTRL_TX_RX;
}

int serial_read(uint8_t *bytes, uint32_t n) {
    for (; n != 0; --n) {
        while (!(UART0_STATE & STATE_RX_FULL)) {
        }
        *bytes++ = (uint8_t)UART0_DATA;
    }
    return 1;
}

void serial_write(const uint8_t *bytes, uint32_t n) {
    for (; n != 0; --n) {
        while (UART0_STATE & STATE_TX_FULL) {
        }
        UART0_DATA = *bytes++;
    }
}
