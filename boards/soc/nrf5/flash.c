/* The two places for what was learnt, at the end of flash, written by the NVMC. The CPU stands
 * still while a page is erased (22 ms) or a word written (46 us). */
#include <byteprop/port.h>

#include "bp_board.h"

#define NVMC_READY BP_REG32(0x4001E400)
#define NVMC_CONFIG BP_REG32(0x4001E504)
#define NVMC_ERASEPAGE BP_REG32(0x4001E508)

#define CONFIG_READ 0u
#define CONFIG_WRITE 1u
#define CONFIG_ERASE 2u

static uint32_t address_of(uint8_t slot, uint32_t offset) {
    return BP_FLASH_END - (2u - slot) * BP_SAVE_SLOT_BYTES + offset;
}

static void wait(void) {
    while (NVMC_READY == 0) {
    }
}

void bp_port_flash_erase(uint8_t slot, uint32_t offset) {
    NVMC_CONFIG = CONFIG_ERASE;
    wait();
    NVMC_ERASEPAGE = address_of(slot, offset);
    wait();
    NVMC_CONFIG = CONFIG_READ;
}

void bp_port_flash_write(uint8_t slot, uint32_t offset, uint32_t word) {
    NVMC_CONFIG = CONFIG_WRITE;
    wait();
    BP_REG32(address_of(slot, offset)) = word;
    wait();
    NVMC_CONFIG = CONFIG_READ;
}

uint32_t bp_port_flash_read(uint8_t slot, uint32_t offset) {
    return BP_REG32(address_of(slot, offset));
}
