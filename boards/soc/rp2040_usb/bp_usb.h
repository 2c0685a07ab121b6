/* Between the parts of the USB device. */
#ifndef BP_USB_H
#define BP_USB_H

#include <stdint.h>

#define BP_USB_PACKET 64u /* bytes of the largest packet, of every endpoint */
#define BP_USB_EP_NOTIFY 1u
#define BP_USB_EP_DATA 2u

/* USB 2.0, 9.4; Communications Class for PSTN Devices 1.2, 6.3. */
typedef struct {
    uint8_t type;
    uint8_t request;
    uint16_t value;
    uint16_t index;
    uint16_t length;
} bp_usb_setup_t;

/* The descriptor that GET_DESCRIPTOR's value names, and its size; 0 when there is none. */
const uint8_t *bp_usb_descriptor(uint16_t value, uint16_t *n);

/* Endpoint 0: the bus was reset; a request is there; a packet was taken; a packet is there. */
void bp_usb_control_reset(void);
void bp_usb_control_setup(void);
void bp_usb_control_sent(void);
void bp_usb_control_received(void);
/* Whether a program on the host has the port open. */
uint8_t bp_usb_is_open(void);

/* Gives a buffer to the controller; control: its length, and BUFFER_FULL when it is to be sent. */
void bp_usb_give(uint32_t buffer, uint32_t control);
/* Sends a packet from the buffer at that offset of the shared memory. */
void bp_usb_send(uint32_t buffer, uint32_t at, const uint8_t *data, uint16_t n);
void bp_usb_next_is_data1(uint32_t buffer);
/* Host and board begin with DATA0 again at the endpoint with that address. */
void bp_usb_clear_halt(uint8_t address);
/* Starts the endpoints of the serial port. */
void bp_usb_start_data(void);

/* Restarts into the boot ROM, which then shows the drive RPI-RP2; does not return. */
void bp_rp2040_boot_loader(void);

#endif
