/* The first bytes of flash: what the boot ROM takes for "start this program in flash directly", and
 * the start-up code right behind it, where the ROM jumps. It has mapped flash to both buses.
 * Source: README of github.com/espressif/esp32c3-direct-boot-example, "Direct boot feature".
 *
 * The CPU has no `mie`, and traps go through a table: its address is a multiple of 256, exceptions
 * use the first entry and interrupt n the one after n others. ESP32-C3 TRM, 1.4 "Control and Status
 * Registers", 1.5 "Interrupt Controller" (the numbers are from memory). */

    .equ DIRECT_BOOT, 0xAEDB041D

    .section .boot_block, "ax"
    .word DIRECT_BOOT, DIRECT_BOOT
    .globl bp_start
bp_start:
    csrci mstatus, 8
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, bp_stack_top
    la t0, trap_table
    ori t0, t0, 1
    csrw mtvec, t0
    j bp_start_c

    .section .text.trap_table, "ax"
    .balign 256
    .option push
    .option norvc
trap_table:
    .rept 32
    j bp_trap_entry
    .endr
    .option pop
