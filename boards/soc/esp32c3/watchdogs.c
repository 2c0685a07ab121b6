/* The three watchdogs that would reset the ESP32-C3: the boot ROM leaves two of them on to watch
 * the start from flash, and the third runs from power-on. ESP32-C3 TRM, chapter 12 "Watchdog
 * Timers" (flash boot protection, write protection, super watchdog). Addresses, bits and keys are
 * those of ESP-IDF's headers rtc_cntl_reg.h and timer_group_reg.h for this chip; the number of the
 * chapter is from memory. */
#include "bp_board.h"
#include "bp_esp32c3.h"

#define RTC_CNTL(offset) BP_REG32(0x60008000 + (offset))
#define RTC_WDT_CONFIG RTC_CNTL(0x90)
#define RTC_WDT_PROTECT RTC_CNTL(0xA8)
#define RTC_WDT_ENABLES (1u << 31 | 1u << 12) /* by the program; for the start from flash */
#define RTC_SWD_CONFIG RTC_CNTL(0xAC)
#define RTC_SWD_PROTECT RTC_CNTL(0xB0)
#define RTC_SWD_FEEDS_ITSELF (1u << 31)

#define TIMG0_WDT_CONFIG BP_REG32(0x6001F048)
#define TIMG0_WDT_PROTECT BP_REG32(0x6001F064)
#define TIMG_WDT_ENABLES (1u << 31 | 1u << 14)
#define TIMG_WDT_TAKE_CONFIG (1u << 22)

#define WDT_KEY 0x50D83AA1u
#define SWD_KEY 0x8F1D312Au
#define PROTECTED 0u

void bp_esp32c3_stop_watchdogs(void) {
    RTC_WDT_PROTECT = WDT_KEY;
    RTC_WDT_CONFIG &= ~RTC_WDT_ENABLES;
    RTC_WDT_PROTECT = PROTECTED;

    RTC_SWD_PROTECT = SWD_KEY;
    RTC_SWD_CONFIG |= RTC_SWD_FEEDS_ITSELF;
    RTC_SWD_PROTECT = PROTECTED;

    TIMG0_WDT_PROTECT = WDT_KEY;
    TIMG0_WDT_CONFIG = (TIMG0_WDT_CONFIG & ~TIMG_WDT_ENABLES) | TIMG_WDT_TAKE_CONFIG;
    TIMG0_WDT_PROTECT = PROTECTED;
}
