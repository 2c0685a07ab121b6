/* Requests of the host at endpoint 0: the standard ones, and those of a serial port. USB 2.0,
 * chapter 9; Communications Class for PSTN Devices 1.2, 6.3. */
#include "bp_usb.h"
#include "controller.h"

#define TYPE_DIRECTION_IN 0x80u
#define TYPE_CLASS 0x20u
#define TYPE_KIND 0x60u
/* Standard requests, and those of the class with the type's bit. */
#define GET_STATUS 0u
#define CLEAR_FEATURE 1u
#define SET_ADDRESS 5u
#define GET_DESCRIPTOR 6u
#define GET_CONFIGURATION 8u
#define SET_CONFIGURATION 9u
#define SET_INTERFACE 11u
#define SET_LINE_CODING (TYPE_CLASS << 8 | 0x20u)
#define GET_LINE_CODING (TYPE_CLASS << 8 | 0x21u)
#define SET_LINE_STATE (TYPE_CLASS << 8 | 0x22u)
#define LINE_CODING_BYTES 7u
#define DTR 1u
#define TOUCH_BAUD 1200u

/* What is left to send of an answer, and what happens when the request is acknowledged. */
static const uint8_t *reply;
static uint16_t reply_left;
static uint8_t is_replying; /* the host acknowledges, not the board */
static uint8_t awaits_line_coding;
static uint8_t new_address;
static uint8_t wants_boot_loader;

static uint8_t configuration;
static uint8_t has_dtr;
static uint8_t line_coding[LINE_CODING_BYTES] = {0x00, 0xC2, 0x01, 0x00, 0, 0, 8}; /* 115200 8N1 */

uint8_t bp_usb_is_open(void) {
    return configuration && has_dtr;
}

void bp_usb_control_reset(void) {
    configuration = has_dtr = 0;
    USB_ADDRESS = 0;
}

static void send_reply_part(void) {
    uint16_t n = reply_left < BP_USB_PACKET ? reply_left : (uint16_t)BP_USB_PACKET;
    bp_usb_send(BUFFER_IN(0), BUFFER_AT_0, reply, n);
    reply += n;
    reply_left = (uint16_t)(reply_left - n);
}

/* No reply is a multiple of a packet and shorter than asked for, so none ends with an empty one. */
static void answer(const bp_usb_setup_t *setup, const uint8_t *data, uint16_t n) {
    reply = data;
    is_replying = 1;
    reply_left = n < setup->length ? n : setup->length;
    send_reply_part();
}

static void acknowledge(void) {
    bp_usb_send(BUFFER_IN(0), BUFFER_AT_0, 0, 0);
}

static void refuse(void) {
    USB_STALL_ARM = STALL_ARM_0;
    USB_BUFFER(BUFFER_IN(0)) = BUFFER_STALL;
    USB_BUFFER(BUFFER_OUT(0)) = BUFFER_STALL;
}

static void set_line_state(uint16_t state) {
    uint32_t baud = line_coding[0] | (uint32_t)line_coding[1] << 8 | (uint32_t)line_coding[2] << 16;
    uint8_t now_open = (uint8_t)(state & DTR);
    wants_boot_loader = has_dtr && !now_open && baud == TOUCH_BAUD;
    has_dtr = now_open;
}

/* Requests that get an answer. 0: this is none of them. */
static int handle_in(const bp_usb_setup_t *setup, uint32_t request) {
    static const uint8_t zeros[2];
    static uint8_t number;
    const uint8_t *found;
    uint16_t n;
    switch (request) {
    case GET_DESCRIPTOR:
        found = bp_usb_descriptor(setup->value, &n);
        if (!found) {
            return 0;
        }
        answer(setup, found, n);
        return 1;
    case GET_STATUS:
        answer(setup, zeros, sizeof zeros);
        return 1;
    case GET_CONFIGURATION:
        number = configuration;
        answer(setup, &number, 1);
        return 1;
    case GET_LINE_CODING:
        answer(setup, line_coding, sizeof line_coding);
        return 1;
    default:
        return 0;
    }
}

static int handle_out(const bp_usb_setup_t *setup, uint32_t request) {
    switch (request) {
    case SET_ADDRESS:
        new_address = (uint8_t)setup->value;
        break;
    case SET_CONFIGURATION:
        configuration = (uint8_t)setup->value;
        bp_usb_start_data();
        break;
    case SET_INTERFACE:
        break;
    case CLEAR_FEATURE:
        bp_usb_clear_halt((uint8_t)setup->index);
        break;
    case SET_LINE_CODING:
        awaits_line_coding = 1;
        bp_usb_give(BUFFER_OUT(0), BP_USB_PACKET); /* acknowledged when its data is here */
        return 1;
    case SET_LINE_STATE:
        set_line_state(setup->value);
        break;
    default:
        return 0;
    }
    acknowledge();
    return 1;
}

void bp_usb_control_setup(void) {
    uint32_t low = USB_SETUP(0);
    uint32_t high = USB_SETUP(1);
    bp_usb_setup_t setup = {(uint8_t)low, (uint8_t)(low >> 8), (uint16_t)(low >> 16),
                            (uint16_t)high, (uint16_t)(high >> 16)};
    uint32_t request = (setup.type & TYPE_KIND) << 8 | setup.request;
    bp_usb_next_is_data1(BUFFER_IN(0));
    bp_usb_next_is_data1(BUFFER_OUT(0));
    new_address = is_replying = awaits_line_coding = wants_boot_loader = 0;
    reply_left = 0;
    int is_known = setup.type & TYPE_DIRECTION_IN ? handle_in(&setup, request)
                                                  : handle_out(&setup, request);
    if (!is_known) {
        refuse();
    }
}

void bp_usb_control_sent(void) {
    if (reply_left > 0) {
        send_reply_part();
    } else if (is_replying) {
        is_replying = 0;
        bp_usb_next_is_data1(BUFFER_OUT(0));
        bp_usb_give(BUFFER_OUT(0), 0);
    } else if (new_address) {
        USB_ADDRESS = new_address;
    } else if (wants_boot_loader) {
        bp_rp2040_boot_loader();
    }
}

void bp_usb_control_received(void) {
    uint8_t i;
    if (awaits_line_coding) {
        awaits_line_coding = 0;
        for (i = 0; i < LINE_CODING_BYTES; i++) {
            line_coding[i] = USB_BYTE(BUFFER_AT_0 + i);
        }
        acknowledge();
    }
}
