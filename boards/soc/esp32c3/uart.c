/* UART0 of the ESP32-C3 on GPIO21 (board sends) and GPIO20 (board receives), clocked by the crystal
 * of 40 MHz like the CPU. ESP32-C3 TRM, 6.2 "Clock", 5.12 "IO MUX Functions List", chapter 26 "UART
 * Controller": 26.4.3 "Baud Rate Generation and Detection", 26.5 "Programming Procedures". Addresses
 * and bits are those of ESP-IDF's headers system_reg.h, io_mux_reg.h, gpio_reg.h and uart_reg.h for
 * this chip; the numbers of sections are from memory. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"
#include "bp_esp32c3.h"

#define CRYSTAL_HZ 40000000u

#define SYSTEM_CLOCKS BP_REG32(0x600C0010)
#define SYSTEM_RESETS BP_REG32(0x600C0018)
#define SYSTEM_UART (1u << 2)
#define SYSTEM_UART_MEMORY (1u << 24)
#define SYSTEM_CPU_CLOCK BP_REG32(0x600C0058)
#define CPU_FROM_CRYSTAL_UNDIVIDED 0u

#define IO_MUX_GPIO20 BP_REG32(0x60009054)
#define IO_MUX_GPIO21 BP_REG32(0x60009058)
#define PIN_RECEIVES (0u << 12 | 1u << 9 | 1u << 8) /* function 0: UART0; input on, pulled up */
#define PIN_SENDS (0u << 12 | 2u << 10)              /* function 0: UART0; 20 mA, as after reset */
#define GPIO_SOURCE_OF_RXD BP_REG32(0x6000416C)
#define FROM_IO_MUX 0u

#define UART_FIFO BP_REG32(BP_UART_BASE + 0x00)
#define UART_INT_ENABLE BP_REG32(BP_UART_BASE + 0x0C)
#define UART_INT_CLEAR BP_REG32(BP_UART_BASE + 0x10)
#define UART_DIVISOR BP_REG32(BP_UART_BASE + 0x14)
#define UART_STATUS BP_REG32(BP_UART_BASE + 0x1C)
#define UART_CONF0 BP_REG32(BP_UART_BASE + 0x20)
#define UART_CONF1 BP_REG32(BP_UART_BASE + 0x24)
#define UART_FSM BP_REG32(BP_UART_BASE + 0x6C)
#define UART_CLOCK BP_REG32(BP_UART_BASE + 0x78)
#define UART_ID BP_REG32(BP_UART_BASE + 0x80)

#define INT_RX_AND_TIMEOUT (1u << 0 | 1u << 8)
#define STATUS_RX_COUNT 0x3FFu
#define STATUS_TX_COUNT (0x3FFu << 16)
#define TX_FULL (120u << 16) /* of 128 bytes */
#define CONF0_MEMORY_CLOCK (1u << 28)
#define CONF0_8N1 (1u << 4 | 3u << 2)
#define CONF1_TIMEOUT (1u << 21)
#define CONF1_RX_AT_ONE_BYTE 1u
#define FSM_SENDS (0xFu << 4)
#define CLOCK_RESET (1u << 23)
/* Receiver, transmitter and both together on; from the crystal (3); divided by 1 + 0. */
#define CLOCK_CRYSTAL (1u << 25 | 1u << 24 | 1u << 22 | 3u << 20)
#define ID_TAKE_REGISTERS (1u << 31)
#define ID_TAKES_THEM_ITSELF (1u << 30)

#define SIXTEENTHS ((CRYSTAL_HZ * 16u + (uint32_t)BP_BAUD / 2u) / (uint32_t)BP_BAUD)

/* In this order no stray byte is sent: TRM, 26.5 "Initializing UARTn". */
static void restart_uart(void) {
    SYSTEM_CLOCKS |= SYSTEM_UART | SYSTEM_UART_MEMORY;
    SYSTEM_RESETS &= ~(SYSTEM_UART | SYSTEM_UART_MEMORY);
    UART_CLOCK = CLOCK_CRYSTAL | CLOCK_RESET;
    SYSTEM_RESETS |= SYSTEM_UART;
    SYSTEM_RESETS &= ~SYSTEM_UART;
    UART_CLOCK = CLOCK_CRYSTAL;
}

static void give_pins_to_uart(void) {
    GPIO_SOURCE_OF_RXD = FROM_IO_MUX;
    IO_MUX_GPIO20 = PIN_RECEIVES;
    IO_MUX_GPIO21 = PIN_SENDS;
}

void bp_soc_init(void) {
    bp_esp32c3_stop_watchdogs();
    SYSTEM_CPU_CLOCK = CPU_FROM_CRYSTAL_UNDIVIDED;
    restart_uart();
    UART_ID &= ~ID_TAKES_THEM_ITSELF;
    UART_DIVISOR = SIXTEENTHS % 16u << 20 | SIXTEENTHS / 16u;
    UART_CONF0 = CONF0_MEMORY_CLOCK | CONF0_8N1;
    UART_CONF1 = CONF1_TIMEOUT | CONF1_RX_AT_ONE_BYTE;
    UART_INT_ENABLE = INT_RX_AND_TIMEOUT;
    UART_ID |= ID_TAKE_REGISTERS;
    while (UART_ID & ID_TAKE_REGISTERS) {
    }
    give_pins_to_uart();
}

/* Cleared before the bytes are taken: one that comes in between asks again. */
void bp_soc_irq(void) {
    UART_INT_CLEAR = INT_RX_AND_TIMEOUT;
    while (UART_STATUS & STATUS_RX_COUNT) {
        bp_ring_put((uint8_t)UART_FIFO);
    }
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while ((UART_STATUS & STATUS_TX_COUNT) >= TX_FULL) {
        }
        UART_FIFO = *data++;
    }
}

/* The start sets up the UART anew, which would lose what it has not sent yet. */
void bp_port_reset(void) {
    while (UART_STATUS & STATUS_TX_COUNT || UART_FSM & FSM_SENDS) {
    }
    bp_arch_restart();
}
