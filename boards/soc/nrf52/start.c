/* What an nRF52 needs before anything else. */
#include "bp_board.h"

#define NVIC_ICER(n) BP_REG32(0xE000E180 + 4 * (n))
#define APPROTECT_DISABLE BP_REG32(0x40000558)
#define UICR_APPROTECT BP_REG32(0x10001208)
#define NVMC_READY BP_REG32(0x4001E400)
#define NVMC_CONFIG BP_REG32(0x4001E504)

#define SW_DISABLE 0x5Au
#define ERASED 0xFFFFFFFFu
#define CONFIG_READ 0u
#define CONFIG_WRITE 1u
#define INTERRUPT_WORDS 2

void bp_nrf52_start(void);

static void wait(void) {
    while (NVMC_READY == 0) {
    }
}

/* Keeps the debug port open. Since build code Fxx of the nRF52840, and on the nRF52833 alike, the
 * port closes at every reset unless UICR says otherwise and the program opens it; then only a mass
 * erase lets a probe in again. nRF52833 Product Specification 1.5, 4.8.3 "Access port protection". */
static void open_debug_port(void) {
    if (UICR_APPROTECT == ERASED) {
        NVMC_CONFIG = CONFIG_WRITE;
        wait();
        UICR_APPROTECT = SW_DISABLE;
        wait();
        NVMC_CONFIG = CONFIG_READ;
    }
    APPROTECT_DISABLE = SW_DISABLE;
}

/* A boot loader may leave interrupts on, whose handlers are not in our vector table. */
static void stop_interrupts(void) {
    for (uint8_t i = 0; i < INTERRUPT_WORDS; ++i) {
        NVIC_ICER(i) = 0xFFFFFFFF;
    }
}

void bp_nrf52_start(void) {
    stop_interrupts();
    open_debug_port();
}
