/* The order in which a board comes up. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

void bp_port_init(void) {
    /* The timer comes after the UART: in QEMU, switching the nRF51's UART on does not wake the loop
     * that brings the bytes which already wait; starting a timer does. */
    bp_soc_init();
    bp_ticks_init();
    bp_arch_init();
    bp_arch_irq_on();
}
