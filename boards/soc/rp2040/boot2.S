/* The boot block: the first 256 bytes of flash. The boot ROM copies it to 0x20041F00, checks its
 * CRC-32, and jumps to it. It makes flash readable at 0x10000000 and starts the program behind it.
 * RP2040 Datasheet, 2.8.1 "Processor Controlled Boot Sequence", 4.10.13 "SSI: List of Registers".
 *
 * Flash is read by the command 03h on one line, which every chip of serial flash knows, and at a
 * quarter of the system clock: at most 33 MHz, of the 50 MHz that the command allows on the Pico's
 * W25Q16JV. The code may depend neither on its address nor on memory. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ CTRLR0, 0x00
    .equ CTRLR1, 0x04
    .equ SSIENR, 0x08
    .equ SER, 0x10
    .equ BAUDR, 0x14
    .equ SPI_CTRLR0, 0xF4
    .equ READ_32_BITS, 0x001F0300       /* 32 clocks per word; transfer mode 3: send, then receive */
    .equ COMMAND_03_ADDRESS_24, 0x03000218
    .equ VECTORS, 0x10000100
    .equ VTOR, 0xE000ED08

    .section .boot_block, "a", %progbits
begin:
    ldr r3, =SSI
    movs r0, #0
    str r0, [r3, #SSIENR]               /* off while it is set up */
    movs r1, #4
    str r1, [r3, #BAUDR]
    ldr r1, =READ_32_BITS
    str r1, [r3, #CTRLR0]
    str r0, [r3, #CTRLR1]               /* one word per read */
    ldr r1, =COMMAND_03_ADDRESS_24
    movs r2, #SPI_CTRLR0
    str r1, [r3, r2]
    movs r1, #1
    str r1, [r3, #SER]
    str r1, [r3, #SSIENR]

    ldr r0, =VECTORS
    ldr r1, =VTOR
    str r0, [r1]
    ldmia r0!, {r1, r2}
    mov sp, r1
    bx r2
    .pool

    .org 252
    .word 0xCF20B7B6                    /* CRC-32 of what is above; the build names the right one */
