/* A program that has nothing but port.h under it, to see what a board's own code does: one letter
 * asks, bytes answer. */
#include <byteprop/port.h>

static uint32_t initialised = 0x12345678u;
static uint32_t zeroed;
static uint32_t changed;

static void send_u32(uint32_t value) {
    uint8_t bytes[4];
    uint8_t i;
    for (i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    bp_port_tx(bytes, sizeof bytes);
}

static void wait_ticks(uint32_t ticks) {
    uint32_t from = bp_port_ticks();
    while (bp_port_ticks() - from < ticks) {
    }
}

static void answer(uint8_t letter) {
    switch (letter) {
    case 'd': /* memory as the start-up code left it, then as the program changed it */
        send_u32(initialised);
        send_u32(zeroed);
        send_u32(changed);
        changed++;
        break;
    case 't':
        send_u32(bp_port_ticks());
        break;
    case 's':
        send_u32(bp_port_stack_free());
        send_u32(bp_port_stack_bytes());
        send_u32((uint32_t)bp_port_stack_intact());
        break;
    case 'o':
        send_u32(bp_port_rx_overruns());
        break;
    case 'w': /* says so, then leaves the ring alone for three times a full window's time */
        bp_port_tx(&letter, 1);
        wait_ticks((uint32_t)(BP_TICK_HZ) / BP_BAUD * 30u * BP_LINK_RX_WINDOW);
        break;
    case 'r':
        bp_port_reset();
        break;
    default:
        bp_port_tx(&letter, 1);
        break;
    }
}

int bp_app_main(void) {
    bp_port_init();
    for (;;) {
        int byte = bp_port_rx();
        if (byte >= 0) {
            answer((uint8_t)byte);
        }
    }
}

void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address) {
    (void)pc;
    (void)address;
    bp_port_tx(&cause, 1);
    bp_port_reset();
}
