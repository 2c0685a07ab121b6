/* The interface between the device program (csrc/app) and a board (boards/). A board implements
 * bp_port_*; the program implements bp_app_*. Nothing in csrc includes anything from boards/.
 *
 * The build passes, from board.toml: BP_BOARD_NAME, BP_BOARD_CPU (strings), BP_TICK_KIND,
 * BP_TICK_HZ, BP_RAM_BYTES, BP_FLASH_BYTES, BP_LINK_MAX_PAYLOAD, BP_LINK_RX_WINDOW (bytes the
 * receive ring holds), BP_LINK_SLOTS (answers kept), BP_LINK_SLOT_BYTES (payload of a kept answer),
 * BP_POOL_BYTES (uploaded image and arena), BP_BUILD_ID (64 bits), and BP_BAKED_MODEL as 1 when
 * bp_model_image and bp_model_image_bytes are linked in. BP_APP_TEST_FAULTS as 1 adds the request
 * that provokes faults, for tests of a board's fault handlers. BP_APP_ROWS as 0 leaves out models that
 * are fed row by row. BP_APP_TRAIN as 1 adds training, BP_APP_ANOMALY as 1 a detector of anomalies;
 * with BP_SAVE_SLOT_BYTES above 0 what was learned can be saved in flash, and bp_port_flash_* are
 * required. BP_APP_GIVEN as 1 takes pool and model from bp_app_given instead of BP_POOL_BYTES and
 * BP_BAKED_MODEL, for programs whose sizes are known after the library is compiled. */
#ifndef BYTEPROP_PORT_H
#define BYTEPROP_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clocks, UART (receive interrupt on), tick counter. Called once, first. */
void bp_port_init(void);
/* Next received byte, or -1 when there is none. The interrupt fills a ring of BP_LINK_RX_WINDOW
 * bytes behind this. May sleep until the next interrupt when there is none. */
int bp_port_rx(void);
/* Bytes lost because the ring was full, since reset. */
uint32_t bp_port_rx_overruns(void);
/* Sends n bytes; returns when they are handed to the hardware. Also works in a fault handler. */
void bp_port_tx(const uint8_t *data, uint16_t n);
/* Free-running counter, wraps at 2^32; what it counts is BP_TICK_KIND. */
uint32_t bp_port_ticks(void);
/* Stack: the least number of free bytes seen since reset (painted by the start-up code), and all.
 */
uint32_t bp_port_stack_free(void);
uint32_t bp_port_stack_bytes(void);
/* 0 when the guard at the stack's end was overwritten. */
int bp_port_stack_intact(void);
/* Resets the board once everything sent has left the transmitter; does not return. */
void bp_port_reset(void);

/* Two areas of flash, slot 0 and 1, of BP_SAVE_SLOT_BYTES each (a multiple of
 * BP_FLASH_PAGE_BYTES); offsets are within a slot. Required where BP_SAVE_SLOT_BYTES is not 0. */
/* Erases the page at a multiple of BP_FLASH_PAGE_BYTES to all ones. */
void bp_port_flash_erase(uint8_t slot, uint32_t offset);
/* Writes a word that was erased before, at a multiple of 4; returns when it is done. */
void bp_port_flash_write(uint8_t slot, uint32_t offset, uint32_t word);
uint32_t bp_port_flash_read(uint8_t slot, uint32_t offset);

/* The device program; never returns. */
int bp_app_main(void);
/* The same in pieces, for a program with a loop of its own: begins, and takes one received byte if
 * there is one. A request that it completes is executed and answered before it returns. */
void bp_app_begin(void);
void bp_app_poll(void);
/* Called by a board's fault handlers: sends a FAULT frame by polling, then resets. */
void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address);

/* What a program gives that was compiled with BP_APP_GIVEN, before bp_app_begin. pool: 16-byte aligned,
 * for uploaded images and arenas. image: a model in flash, or NULL. */
typedef struct {
    uint8_t *pool;
    const uint8_t *image;
    uint32_t pool_bytes;
    uint32_t image_bytes;
} bp_app_given_t;
extern bp_app_given_t bp_app_given;

/* A baked model; defined by the file that `byteprop build` or `Model.save("x.h")` writes. */
extern const uint8_t bp_model_image[];
extern const uint32_t bp_model_image_bytes;

#ifdef __cplusplus
}
#endif
#endif
