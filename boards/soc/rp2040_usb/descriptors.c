/* What the board says about itself: a serial port of class CDC-ACM. USB 2.0, 9.6; Class Definitions
 * for Communications Devices 1.2, 5.2; Communications Class for PSTN Devices 1.2, 5.3. */
#include "bp_usb.h"

#define LOW(x) ((x) & 0xFFu)
#define HIGH(x) ((x) >> 8)
#define VENDOR 0x2E8Au /* Raspberry Pi */
#define PRODUCT 0x000Au /* a Pico with a serial port */
#define CONFIGURATION_BYTES 67u

#define KIND_DEVICE 1u
#define KIND_CONFIGURATION 2u
#define KIND_STRING 3u
#define STRINGS 2u

static const uint8_t device[] = {
    18, KIND_DEVICE, 0x00, 0x02,           /* USB 2.0 */
    0x02, 0, 0, BP_USB_PACKET,             /* class CDC */
    LOW(VENDOR), HIGH(VENDOR), LOW(PRODUCT), HIGH(PRODUCT),
    0x00, 0x01, 1, 2, 0, 1,                /* strings: manufacturer, product; one configuration */
};

static const uint8_t configuration[CONFIGURATION_BYTES] = {
    9, KIND_CONFIGURATION, CONFIGURATION_BYTES, 0, 2, 1, 0, 0x80, 250 / 2, /* 250 mA */
    /* Interface 0: control. Abstract control model without a protocol. */
    9, 4, 0, 0, 1, 0x02, 0x02, 0x00, 0,
    5, 0x24, 0x00, 0x20, 0x01,             /* header: CDC 1.2 */
    5, 0x24, 0x01, 0x00, 1,                /* no call management; data interface 1 */
    4, 0x24, 0x02, 0x02,                   /* line coding and line state */
    5, 0x24, 0x06, 0, 1,                   /* the union of interfaces 0 and 1 */
    7, 5, 0x80 | BP_USB_EP_NOTIFY, 0x03, BP_USB_PACKET, 0, 255,
    /* Interface 1: data. */
    9, 4, 1, 0, 2, 0x0A, 0, 0, 0,
    7, 5, BP_USB_EP_DATA, 0x02, BP_USB_PACKET, 0, 0,
    7, 5, 0x80 | BP_USB_EP_DATA, 0x02, BP_USB_PACKET, 0, 0,
};

static const uint8_t languages[] = {4, KIND_STRING, 0x09, 0x04};

static const char *const strings[STRINGS] = {"byteprop", "byteprop on Raspberry Pi Pico"};

/* In UTF-16. At most 30 characters: an answer that fills a packet would need an empty one behind. */
static const uint8_t *text(const char *ascii, uint16_t *n) {
    static uint8_t out[BP_USB_PACKET];
    uint8_t at = 2;
    while (*ascii && at < BP_USB_PACKET - 2) {
        out[at++] = (uint8_t)*ascii++;
        out[at++] = 0;
    }
    out[0] = at;
    out[1] = KIND_STRING;
    *n = at;
    return out;
}

const uint8_t *bp_usb_descriptor(uint16_t value, uint16_t *n) {
    uint8_t index = (uint8_t)LOW(value);
    switch (HIGH(value)) {
    case KIND_DEVICE:
        *n = sizeof device;
        return device;
    case KIND_CONFIGURATION:
        *n = sizeof configuration;
        return configuration;
    case KIND_STRING:
        if (index >= 1 && index <= STRINGS) {
            return text(strings[index - 1], n);
        }
        if (index == 0) {
            *n = sizeof languages;
            return languages;
        }
        break;
    default:
        break;
    }
    return 0;
}
