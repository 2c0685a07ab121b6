/* Between the parts of the RP2040. */
#ifndef BP_RP2040_H
#define BP_RP2040_H

#include <stdint.h>

/* RP2040 Datasheet, 2.14 "Subsystem Resets": bits of RESETS. */
#define BP_RESETS_IO_BANK0 (1u << 5)
#define BP_RESETS_PADS_BANK0 (1u << 8)
#define BP_RESETS_PLL_SYS (1u << 12)
#define BP_RESETS_PLL_USB (1u << 13)
#define BP_RESETS_UART0 (1u << 22)
#define BP_RESETS_USBCTRL (1u << 24)

/* Resets the blocks and waits until they are ready. A debugger's reset leaves them as they were. */
void bp_rp2040_restart(uint32_t blocks);
/* The crystal of 12 MHz, and the CPU at the 125 MHz that PLL_SYS makes of it. */
void bp_rp2040_clocks(void);
/* A PLL at 0x4002x000: 12 MHz * multiplier / divider_1 / divider_2. */
void bp_rp2040_pll(uint32_t base, uint32_t multiplier, uint32_t divider_1, uint32_t divider_2);

#endif
