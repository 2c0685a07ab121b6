/* The order in which a board comes up. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

void bp_port_init(void) {
    bp_ticks_init();
    bp_soc_init();
    bp_arch_init();
    bp_arch_irq_on();
}
