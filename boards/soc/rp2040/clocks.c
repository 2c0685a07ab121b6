/* Clocks of the RP2040. RP2040 Datasheet, 2.14 "Subsystem Resets", 2.15 "Clocks", 2.16 "Crystal
 * Oscillator (XOSC)", 2.18 "PLL". */
#include "bp_board.h"
#include "bp_rp2040.h"

#define RESETS_RESET BP_REG32(0x4000C000)
#define RESETS_DONE BP_REG32(0x4000C008)

#define XOSC_CTRL BP_REG32(0x40024000)
#define XOSC_STATUS BP_REG32(0x40024004)
#define XOSC_STARTUP BP_REG32(0x4002400C)
#define XOSC_ENABLE_1_TO_15_MHZ (0xFABu << 12 | 0xAA0u)
#define XOSC_STABLE (1u << 31)
#define XOSC_1_MS 47u /* in 256 periods of 12 MHz */

#define CLK_SYS_CTRL BP_REG32(0x4000803C)
#define CLK_SYS_SELECTED BP_REG32(0x40008044)
#define SYS_FROM_REF 0u
#define SYS_FROM_PLL_SYS 1u /* its second input, which bits 5 to 7 select: 0 is PLL_SYS */

#define PLL_SYS_BASE 0x40028000u
#define PLL_CS(base) BP_REG32((base) + 0x0)
#define PLL_PWR(base) BP_REG32((base) + 0x4)
#define PLL_FBDIV_INT(base) BP_REG32((base) + 0x8)
#define PLL_PRIM(base) BP_REG32((base) + 0xC)
#define PLL_LOCKED (1u << 31)
#define PWR_WITHOUT_FRACTIONS (1u << 2)
#define PWR_WITHOUT_DIVIDERS (1u << 3)

void bp_rp2040_restart(uint32_t blocks) {
    RESETS_RESET |= blocks;
    RESETS_RESET &= ~blocks;
    while ((RESETS_DONE & blocks) != blocks) {
    }
}

/* The reference divider is 1 after reset. */
void bp_rp2040_pll(uint32_t base, uint32_t multiplier, uint32_t divider_1, uint32_t divider_2) {
    PLL_FBDIV_INT(base) = multiplier;
    PLL_PWR(base) = PWR_WITHOUT_FRACTIONS | PWR_WITHOUT_DIVIDERS;
    while (!(PLL_CS(base) & PLL_LOCKED)) {
    }
    PLL_PRIM(base) = divider_1 << 16 | divider_2 << 12;
    PLL_PWR(base) = PWR_WITHOUT_FRACTIONS;
}

void bp_rp2040_clocks(void) {
    XOSC_STARTUP = XOSC_1_MS;
    XOSC_CTRL = XOSC_ENABLE_1_TO_15_MHZ;
    while (!(XOSC_STATUS & XOSC_STABLE)) {
    }
    /* Off the PLL before it is reset, onto the ring oscillator; and the second input may change only
     * while it is not in use. */
    CLK_SYS_CTRL &= ~SYS_FROM_PLL_SYS;
    while (CLK_SYS_SELECTED != 1u << SYS_FROM_REF) {
    }
    bp_rp2040_restart(BP_RESETS_PLL_SYS);
    bp_rp2040_pll(PLL_SYS_BASE, 125, 6, 2); /* 1500 MHz / 12 */
    CLK_SYS_CTRL = SYS_FROM_REF;
    CLK_SYS_CTRL = SYS_FROM_PLL_SYS;
    while (CLK_SYS_SELECTED != 1u << SYS_FROM_PLL_SYS) {
    }
}
