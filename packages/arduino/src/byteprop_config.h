/* Settings that Arduino's build cannot pass as definitions; <byteprop/config.h> includes this file.
 * PlatformIO and others may define any of them instead. */
#ifndef BYTEPROP_ARDUINO_CONFIG_H
#define BYTEPROP_ARDUINO_CONFIG_H

#if defined(__AVR__)
#include <avr/io.h>
#endif

/* ---- which ops there are: bits of their codes in BP_OP_LIST of <byteprop/model.h> ---- */

/* 32 KB of flash are for dense, rescale, softmax and reshape. */
#if defined(ARDUINO) && defined(FLASHEND) && FLASHEND < 0x8000 && !defined(BP_OPS_LOW)
#define BP_OPS_LOW 0x1EULL
#define BP_OPS_HIGH 0ULL
#define BP_KINDS 0x1
#define BP_APP_ROWS 0
#define BP_LAYOUTS 0x1
#endif

/* ---- the device program: what <byteprop/port.h> lists ---- */

#ifndef BP_APP_GIVEN
#define BP_APP_GIVEN 1
#endif
#ifndef BP_APP_TRAIN
#define BP_APP_TRAIN 1
#endif
#ifndef BP_BOARD_NAME
#define BP_BOARD_NAME "arduino"
#endif
#ifndef BP_BUILD_ID
#define BP_BUILD_ID 0
#endif

/* micros() */
#ifndef BP_TICK_KIND
#define BP_TICK_KIND BP_TICK_TIMER
#define BP_TICK_HZ 1000000UL
#endif

/* 0: not known. */
#if defined(RAMEND) && defined(RAMSTART) && !defined(BP_RAM_BYTES)
#define BP_RAM_BYTES (RAMEND - RAMSTART + 1UL)
#endif
#if defined(FLASHEND) && !defined(BP_FLASH_BYTES)
#define BP_FLASH_BYTES (FLASHEND + 1UL)
#endif
#ifndef BP_RAM_BYTES
#define BP_RAM_BYTES 0
#endif
#ifndef BP_FLASH_BYTES
#define BP_FLASH_BYTES 0
#endif

/* What may wait in the core's receive buffer while the board computes: 64 bytes on AVR, of which one
 * stays free, and 256 on most others. USB makes the host wait, so it loses nothing in any case. */
#ifndef BP_LINK_RX_WINDOW
#if defined(__AVR__)
#define BP_LINK_RX_WINDOW 63
#define BP_LINK_MAX_PAYLOAD 80
#define BP_LINK_SLOTS 2
#define BP_LINK_SLOT_BYTES 32
#else
#define BP_LINK_RX_WINDOW 255
#define BP_LINK_MAX_PAYLOAD 512
#define BP_LINK_SLOTS 4
#define BP_LINK_SLOT_BYTES 64
#endif
#endif

#ifndef BP_BOARD_CPU
#if defined(__AVR_ATmega328P__)
#define BP_BOARD_CPU "ATmega328P"
#elif defined(__AVR_ATmega2560__)
#define BP_BOARD_CPU "ATmega2560"
#elif defined(__AVR__)
#define BP_BOARD_CPU "AVR"
#elif defined(__ARM_ARCH_6M__)
#define BP_BOARD_CPU "Cortex-M0"
#elif defined(__ARM_ARCH_7M__)
#define BP_BOARD_CPU "Cortex-M3"
#elif defined(__ARM_ARCH_7EM__)
#define BP_BOARD_CPU "Cortex-M4/M7"
#elif defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8M_BASE__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define BP_BOARD_CPU "Cortex-M33"
#elif defined(__XTENSA__)
#define BP_BOARD_CPU "Xtensa"
#elif defined(__riscv)
#define BP_BOARD_CPU "RISC-V"
#else
#define BP_BOARD_CPU "unknown"
#endif
#endif

#endif
