/* UART0 of the RP2040 on GP0 (board sends) and GP1 (board receives). RP2040 Datasheet, 2.15.7
 * CLK_PERI_CTRL, 2.19.2 "Function Select", 2.19.6 IO_BANK0 and PADS_BANK0. */
#include "bp_board.h"
#include "bp_pl011.h"
#include "bp_rp2040.h"

#define CLK_PERI_CTRL BP_REG32(0x40008048)
#define PERI_ENABLED_FROM_SYS (1u << 11)

#define GPIO0_CTRL BP_REG32(0x40014004)
#define GPIO1_CTRL BP_REG32(0x4001400C)
#define PADS_GPIO1 BP_REG32(0x4001C008)
#define FUNCTION_UART 2u
#define PADS_PULLS (3u << 2)
#define PADS_PULL_UP (1u << 3)

void bp_pl011_clock_and_pins(void) {
    bp_rp2040_clocks();
    bp_rp2040_restart(BP_RESETS_IO_BANK0 | BP_RESETS_PADS_BANK0);
    CLK_PERI_CTRL = PERI_ENABLED_FROM_SYS;
    bp_rp2040_restart(BP_RESETS_UART0);
    PADS_GPIO1 = (PADS_GPIO1 & ~PADS_PULLS) | PADS_PULL_UP; /* idle while nothing is connected */
    GPIO0_CTRL = FUNCTION_UART;
    GPIO1_CTRL = FUNCTION_UART;
}
