/* Registers of the RP2040's USB controller as a device. RP2040 Datasheet, 4.1.2.5 "Buffer
 * Control", 4.1.2.6 "Device Controller", 4.1.4 "List of Registers". */
#ifndef BP_RP2040_USB_CONTROLLER_H
#define BP_RP2040_USB_CONTROLLER_H

#include "bp_board.h"

/* Memory that the controller shares: 256 bytes of control words, then buffers. */
#define USB_MEMORY 0x50100000u
#define USB_CONTROL_BYTES 0x100u
#define USB_SETUP(word) BP_REG32(USB_MEMORY + 4 * (word))
#define USB_BYTE(at) (*(volatile uint8_t *)(uintptr_t)(USB_MEMORY + (at)))

/* Buffers are numbered 2 * endpoint, and 1 more for packets from the host. */
#define BUFFER_IN(endpoint) (2 * (endpoint))
#define BUFFER_OUT(endpoint) (2 * (endpoint) + 1)
#define USB_ENDPOINT(buffer) BP_REG32(USB_MEMORY + 4 * (buffer)) /* not of endpoint 0 */
#define USB_BUFFER(buffer) BP_REG32(USB_MEMORY + 0x80 + 4 * (buffer))
#define ENDPOINT_ON (1u << 31 | 1u << 29) /* with an interrupt for each packet */
#define ENDPOINT_BULK (2u << 26)
#define ENDPOINT_INTERRUPT (3u << 26)
#define BUFFER_FULL (1u << 15)
#define BUFFER_LAST (1u << 14)
#define BUFFER_DATA1 (1u << 13)
#define BUFFER_STALL (1u << 11)
#define BUFFER_AVAILABLE (1u << 10)
#define BUFFER_LENGTH 0x3FFu
#define BUFFER_AT_0 0x100u /* endpoint 0, both directions */
#define BUFFER_AT_NOTIFY 0x180u
#define BUFFER_AT_OUT 0x1C0u
#define BUFFER_AT_IN 0x200u

#define USB_ADDRESS BP_REG32(0x50110000)
#define USB_MAIN_CTRL BP_REG32(0x50110040)
#define USB_SIE_CTRL BP_REG32(0x5011004C)
#define USB_SIE_STATUS BP_REG32(0x50110050)
#define USB_BUFF_STATUS BP_REG32(0x50110058)
#define USB_STALL_ARM BP_REG32(0x50110068)
#define USB_MUXING BP_REG32(0x50110074)
#define USB_PWR BP_REG32(0x50110078)
#define USB_INTE BP_REG32(0x50110090)
#define MAIN_ON 1u
#define SIE_CTRL_INTERRUPT_0 (1u << 29) /* for each packet of endpoint 0 */
#define SIE_CTRL_PULL_UP (1u << 16)     /* by which the host sees a device */
#define SIE_STATUS_BUS_RESET (1u << 19)
#define SIE_STATUS_SETUP (1u << 17)
#define STALL_ARM_0 3u
#define MUXING_TO_PHY_CONNECTED (1u << 0 | 1u << 3)
#define PWR_HAS_POWER (1u << 2 | 1u << 3) /* the Pico has no pin for it */
#define INT_BUFFERS (1u << 4)
#define INT_BUS_RESET (1u << 12)
#define INT_SETUP (1u << 16)

#endif
