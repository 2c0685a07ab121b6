/* The Pico's own USB socket as a serial port (CDC-ACM): the line of the program. The interrupt
 * handles the host's requests and takes what it sends; sending polls. RP2040 Datasheet, 4.1 "USB",
 * 2.15.7 CLK_USB_CTRL; USB 2.0, 8.6 "Data Toggle Synchronization". */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"
#include "bp_rp2040.h"
#include "bp_usb.h"
#include "controller.h"

#define CLK_USB_CTRL BP_REG32(0x40008054)
#define USB_ENABLED_FROM_PLL_USB (1u << 11)
#define PLL_USB_BASE 0x4002C000u

#define DATA_IN BUFFER_IN(BP_USB_EP_DATA)
#define DATA_OUT BUFFER_OUT(BP_USB_EP_DATA)

static uint32_t next_pid[6]; /* of each buffer: BUFFER_DATA1, or 0 for DATA0 */

void bp_usb_next_is_data1(uint32_t buffer) {
    next_pid[buffer] = BUFFER_DATA1;
}

/* 4.1.2.5.1: the controller reads in its own clock; the rest of a word has to be there some cycles
 * before the bit that makes it look. */
void bp_usb_give(uint32_t buffer, uint32_t control) {
    control |= next_pid[buffer] | BUFFER_LAST;
    next_pid[buffer] ^= BUFFER_DATA1;
    USB_BUFFER(buffer) = control;
    __asm volatile("nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop");
    USB_BUFFER(buffer) = control | BUFFER_AVAILABLE;
}

void bp_usb_send(uint32_t buffer, uint32_t at, const uint8_t *data, uint16_t n) {
    uint16_t i;
    for (i = 0; i < n; i++) {
        USB_BYTE(at + i) = data[i];
    }
    bp_usb_give(buffer, BUFFER_FULL | n);
}

void bp_usb_clear_halt(uint8_t address) {
    if (address == (0x80u | BP_USB_EP_DATA)) {
        next_pid[DATA_IN] = 0;
    } else if (address == BP_USB_EP_DATA) {
        next_pid[DATA_OUT] = 0;
        bp_usb_give(DATA_OUT, BP_USB_PACKET);
    }
}

void bp_usb_start_data(void) {
    next_pid[DATA_IN] = next_pid[DATA_OUT] = 0;
    USB_ENDPOINT(BUFFER_IN(BP_USB_EP_NOTIFY)) = ENDPOINT_ON | ENDPOINT_INTERRUPT | BUFFER_AT_NOTIFY;
    USB_ENDPOINT(DATA_IN) = ENDPOINT_ON | ENDPOINT_BULK | BUFFER_AT_IN;
    USB_ENDPOINT(DATA_OUT) = ENDPOINT_ON | ENDPOINT_BULK | BUFFER_AT_OUT;
    USB_BUFFER(DATA_IN) = 0; /* what was under way when the bus was reset */
    bp_usb_give(DATA_OUT, BP_USB_PACKET);
}

void bp_soc_init(void) {
    uint32_t at;
    bp_rp2040_clocks();
    bp_rp2040_restart(BP_RESETS_PLL_USB);
    bp_rp2040_pll(PLL_USB_BASE, 100, 5, 5); /* 1200 MHz / 25 */
    CLK_USB_CTRL = USB_ENABLED_FROM_PLL_USB;
    bp_rp2040_restart(BP_RESETS_USBCTRL);
    for (at = 0; at < USB_CONTROL_BYTES; at += 4) {
        BP_REG32(USB_MEMORY + at) = 0;
    }
    USB_MUXING = MUXING_TO_PHY_CONNECTED;
    USB_PWR = PWR_HAS_POWER;
    USB_MAIN_CTRL = MAIN_ON;
    USB_INTE = INT_BUFFERS | INT_BUS_RESET | INT_SETUP;
    USB_SIE_CTRL = SIE_CTRL_INTERRUPT_0 | SIE_CTRL_PULL_UP;
}

static void take_received(void) {
    uint32_t n = USB_BUFFER(DATA_OUT) & BUFFER_LENGTH;
    uint32_t i;
    for (i = 0; i < n; i++) {
        bp_ring_put(USB_BYTE(BUFFER_AT_OUT + i));
    }
    bp_usb_give(DATA_OUT, BP_USB_PACKET);
}

/* Buffers come before the next request, which the host may send at once after the last one. */
void bp_soc_irq(void) {
    uint32_t done = USB_BUFF_STATUS;
    uint32_t status = USB_SIE_STATUS;
    USB_BUFF_STATUS = done;
    if (done & 1u << BUFFER_IN(0)) {
        bp_usb_control_sent();
    }
    if (done & 1u << BUFFER_OUT(0)) {
        bp_usb_control_received();
    }
    if (done & 1u << DATA_OUT) {
        take_received();
    }
    if (status & SIE_STATUS_SETUP) {
        USB_SIE_STATUS = SIE_STATUS_SETUP;
        bp_usb_control_setup();
    }
    if (status & SIE_STATUS_BUS_RESET) {
        bp_usb_control_reset();
        USB_SIE_STATUS = SIE_STATUS_BUS_RESET;
    }
}

/* Waits until the host has taken the last packet. False when the port is not open. Also in a
 * fault handler, where the interrupt does not come. */
static int is_sent(void) {
    while (bp_usb_is_open() && USB_BUFFER(DATA_IN) & BUFFER_AVAILABLE) {
        bp_arch_irq_off();
        bp_soc_irq();
        bp_arch_irq_on();
    }
    return bp_usb_is_open();
}

/* A host waits for more after a full packet, so what ends with one is followed by an empty one. */
void bp_port_tx(const uint8_t *data, uint16_t n) {
    uint16_t part;
    do {
        part = n < BP_USB_PACKET ? n : (uint16_t)BP_USB_PACKET;
        if (!is_sent()) {
            return;
        }
        bp_usb_send(DATA_IN, BUFFER_AT_IN, data, part);
        data += part;
        n = (uint16_t)(n - part);
    } while (part == BP_USB_PACKET);
    (void)is_sent();
}
