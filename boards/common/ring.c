/* The receive ring between the UART's interrupt and the program. The counters run freely and wrap,
 * so all BP_LINK_RX_WINDOW bytes can be used; each is written by one side only and read in one
 * instruction, so neither side has to lock. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#if (BP_LINK_RX_WINDOW & (BP_LINK_RX_WINDOW - 1)) != 0
#error "BP_LINK_RX_WINDOW must be a power of two"
#endif

#if BP_LINK_RX_WINDOW <= 128
typedef uint8_t bp_ring_count_t;
#elif defined(__AVR__)
#error "two bytes are not read in one instruction: BP_LINK_RX_WINDOW can be 128 at most"
#else
typedef uint16_t bp_ring_count_t;
#endif

static uint8_t bp_ring[BP_LINK_RX_WINDOW];
static volatile bp_ring_count_t bp_ring_put_count;
static volatile bp_ring_count_t bp_ring_taken_count;
static volatile uint32_t bp_ring_lost;

void bp_ring_put(uint8_t byte) {
    bp_ring_count_t put = bp_ring_put_count;
    if ((bp_ring_count_t)(put - bp_ring_taken_count) >= BP_LINK_RX_WINDOW) {
        bp_ring_lost = bp_ring_lost + 1;
        return;
    }
    bp_ring[put & (BP_LINK_RX_WINDOW - 1)] = byte;
    bp_ring_put_count = (bp_ring_count_t)(put + 1);
}

static int ring_empty(void) {
    return bp_ring_put_count == bp_ring_taken_count;
}

int bp_port_rx(void) {
    bp_ring_count_t taken = bp_ring_taken_count;
    uint8_t byte;
    if (ring_empty()) {
        /* Asked again with interrupts off: a byte that arrives in between would be slept over. */
        bp_arch_irq_off();
        if (ring_empty()) {
            bp_arch_sleep();
        }
        bp_arch_irq_on();
        return -1;
    }
    byte = bp_ring[taken & (BP_LINK_RX_WINDOW - 1)];
    bp_ring_taken_count = (bp_ring_count_t)(taken + 1);
    return byte;
}

uint32_t bp_port_rx_overruns(void) {
    uint32_t lost;
    bp_arch_irq_off();
    lost = bp_ring_lost;
    bp_arch_irq_on();
    return lost;
}
