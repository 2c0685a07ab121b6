/* The UART's interrupt through the ESP32-C3's interrupt matrix and its CPU's controller. ESP32-C3
 * TRM, 1.5 "Interrupt Controller", chapter 8 "Interrupt Matrix". Addresses are those of ESP-IDF's
 * interrupt_core0_reg.h for this chip; the numbers of sections are from memory. */
#include "bp_board.h"

#define MATRIX(offset) BP_REG32(0x600C2000 + (offset))
#define MAP_OF_SOURCE(n) MATRIX(4 * (n))
#define CPU_ENABLE MATRIX(0x104)
#define CPU_EDGES MATRIX(0x108)
#define CPU_PRIORITY(n) MATRIX(0x114 + 4 * (n))
#define CPU_THRESHOLD MATRIX(0x194)
#define LINE 1u    /* of the CPU's 31 */
#define LOWEST 1u /* priority, and the threshold that it reaches */

void bp_arch_init(void) {
    MAP_OF_SOURCE(BP_UART_IRQ) = LINE;
    CPU_EDGES &= ~(1u << LINE);
    CPU_PRIORITY(LINE) = LOWEST;
    CPU_THRESHOLD = LOWEST;
    CPU_ENABLE = 1u << LINE;
}
