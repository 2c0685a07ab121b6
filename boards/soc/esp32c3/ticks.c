/* The ESP32-C3's system timer: 16 MHz made of the crystal, whatever the CPU's clock is. It counts
 * from reset on. ESP32-C3 TRM, chapter 10 "System Timer"; addresses are those of ESP-IDF's
 * systimer_reg.h for this chip, the number of the chapter is from memory. */
#include <byteprop/port.h>

#include "bp_board.h"

#define SYSTEM_CLOCKS BP_REG32(0x600C0010)
#define SYSTEM_RESETS BP_REG32(0x600C0018)
#define SYSTIMER (1u << 29)
#define SYSTIMER_CONFIG BP_REG32(0x60023000)
#define UNIT0_COUNTS (1u << 30)
#define UNIT0_REQUEST BP_REG32(0x60023004)
#define LATCH (1u << 30)
#define LATCHED (1u << 29)
#define UNIT0_LOW BP_REG32(0x60023044)

void bp_ticks_init(void) {
    SYSTEM_CLOCKS |= SYSTIMER;
    SYSTEM_RESETS &= ~SYSTIMER;
    SYSTIMER_CONFIG |= UNIT0_COUNTS;
}

uint32_t bp_port_ticks(void) {
    UNIT0_REQUEST = LATCH;
    while (!(UNIT0_REQUEST & LATCHED)) {
    }
    return UNIT0_LOW;
}
