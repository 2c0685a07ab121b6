/* RP2350: UART0 on GP0 (board sends) and GP1 (board receives), and everything at the crystal's 12
 * MHz. RP2350 Datasheet, chapter 7 "Resets", chapter 8 "Clocks" with 8.2 "Crystal Oscillator",
 * chapter 9 "GPIO". Addresses and bits are those of the headers of Raspberry Pi's pico-sdk for this
 * chip (hardware/regs). */
#include "bp_board.h"
#include "bp_pl011.h"

#define RESETS_RESET BP_REG32(0x40020000)
#define RESETS_DONE BP_REG32(0x40020008)
#define IO_PADS_UART0 (1u << 6 | 1u << 9 | 1u << 26)

#define XOSC_CTRL BP_REG32(0x40048000)
#define XOSC_STATUS BP_REG32(0x40048004)
#define XOSC_STARTUP BP_REG32(0x4004800C)
#define XOSC_ENABLE_1_TO_15_MHZ (0xFABu << 12 | 0xAA0u)
#define XOSC_STABLE (1u << 31)
#define XOSC_1_MS 47u /* in 256 periods of 12 MHz */

#define CLK_REF_CTRL BP_REG32(0x40010030)
#define CLK_REF_SELECTED BP_REG32(0x40010038)
#define CLK_SYS_CTRL BP_REG32(0x4001003C)
#define CLK_SYS_SELECTED BP_REG32(0x40010044)
#define CLK_PERI_CTRL BP_REG32(0x40010048)
#define REF_FROM_XOSC 2u
#define SYS_NOT_FROM_REF 1u
#define PERI_ENABLED_FROM_XOSC (1u << 11 | 4u << 5)

#define GPIO0_CTRL BP_REG32(0x40028004)
#define GPIO1_CTRL BP_REG32(0x4002800C)
#define PADS_GPIO0 BP_REG32(0x40038004)
#define PADS_GPIO1 BP_REG32(0x40038008)
#define FUNCTION_UART 2u
/* Input on, 4 mA, Schmitt trigger; without bit 8, which isolates a pad after reset. */
#define PAD_SENDS 0x52u
#define PAD_RECEIVES_PULLED_UP 0x5Au

static void start_clocks(void) {
    XOSC_STARTUP = XOSC_1_MS;
    XOSC_CTRL = XOSC_ENABLE_1_TO_15_MHZ;
    while (!(XOSC_STATUS & XOSC_STABLE)) {
    }
    CLK_REF_CTRL = REF_FROM_XOSC;
    while (CLK_REF_SELECTED != 1u << REF_FROM_XOSC) {
    }
    CLK_SYS_CTRL &= ~SYS_NOT_FROM_REF;
    while (CLK_SYS_SELECTED != 1u) {
    }
    CLK_PERI_CTRL = PERI_ENABLED_FROM_XOSC;
}

void bp_pl011_clock_and_pins(void) {
    start_clocks();
    RESETS_RESET |= IO_PADS_UART0;
    RESETS_RESET &= ~IO_PADS_UART0;
    while ((RESETS_DONE & IO_PADS_UART0) != IO_PADS_UART0) {
    }
    GPIO0_CTRL = FUNCTION_UART;
    GPIO1_CTRL = FUNCTION_UART;
    PADS_GPIO0 = PAD_SENDS;
    PADS_GPIO1 = PAD_RECEIVES_PULLED_UP;
}
