/* Keeps the debug port open. Since build code Fxx of the nRF52840, and on the nRF52833 alike, the
 * port closes at every reset unless UICR says otherwise and the program opens it; then only a mass
 * erase lets a probe in again. nRF52833 Product Specification 1.5, 4.8.3 "Access port protection". */
#include "bp_board.h"

#define APPROTECT_DISABLE BP_REG32(0x40000558)
#define UICR_APPROTECT BP_REG32(0x10001208)
#define NVMC_READY BP_REG32(0x4001E400)
#define NVMC_CONFIG BP_REG32(0x4001E504)

#define SW_DISABLE 0x5Au
#define ERASED 0xFFFFFFFFu
#define CONFIG_READ 0u
#define CONFIG_WRITE 1u

void bp_nrf52_open_debug_port(void);

static void wait(void) {
    while (NVMC_READY == 0) {
    }
}

void bp_nrf52_open_debug_port(void) {
    if (UICR_APPROTECT == ERASED) {
        NVMC_CONFIG = CONFIG_WRITE;
        wait();
        UICR_APPROTECT = SW_DISABLE;
        wait();
        NVMC_CONFIG = CONFIG_READ;
    }
    APPROTECT_DISABLE = SW_DISABLE;
}
