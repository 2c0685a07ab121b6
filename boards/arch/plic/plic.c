/* RISC-V's platform-level interrupt controller, as hart 0 in machine mode sees it. */
#include "bp_plic.h"

#include "bp_board.h"

#define PLIC_PRIORITY(n) BP_REG32(0x0C000000 + 4 * (n))
#define PLIC_ENABLE(n) BP_REG32(0x0C002000 + 4 * ((n) / 32))
#define PLIC_THRESHOLD BP_REG32(0x0C200000)
#define PLIC_CLAIM BP_REG32(0x0C200004)

void bp_soc_init(void) {
    uint32_t claimed;
    bp_uart_init();
    PLIC_PRIORITY(BP_UART_IRQ) = 1;
    PLIC_THRESHOLD = 0;
    PLIC_ENABLE(BP_UART_IRQ) = 1u << (BP_UART_IRQ % 32);
    /* A reset by jump may have left an interrupt claimed. */
    claimed = PLIC_CLAIM;
    PLIC_CLAIM = claimed ? claimed : BP_UART_IRQ;
    /* That interrupt may have been for bytes that are here already: QEMU does not raise it again.
     */
    bp_uart_receive();
}

void bp_soc_irq(void) {
    uint32_t claimed = PLIC_CLAIM;
    bp_uart_receive();
    PLIC_CLAIM = claimed;
}
