/* bare.h for QEMU's RISC-V virt machine: text goes to its UART, the test device ends the emulator,
 * and minstret counts instructions. */
#include "bare.h"

#define UART_DATA (*(volatile uint8_t *)(uintptr_t)0x10000000)
#define TEST_DEVICE (*(volatile uint32_t *)(uintptr_t)0x100000)

enum { TEST_PASS = 0x5555, TEST_FAIL = 0x3333 };

static uint32_t started_at;

void bare_start(void);

/* Compilers have a library of 64-bit arithmetic for the CPU by the name without this extension. */
__asm__(".option arch, +zicsr\n");

/* RAM is zero when the machine starts. */
__asm__(".section .start, \"ax\"\n"
        ".globl bare_reset\n"
        "bare_reset:\n"
        "la sp, bare_stack_top\n"
        "la t0, bare_fault\n"
        "csrw mtvec, t0\n"
        "call bare_start\n"
        ".balign 4\n"
        "bare_fault:\n"
        "li a0, 0x100000\n"
        "li a1, 0x633333\n" /* exit code 99 */
        "sw a1, 0(a0)\n"
        "1: j 1b\n"
        ".text\n");

void bare_start(void) {
    const uint32_t code = (uint32_t)bare_main();
    TEST_DEVICE = code == 0 ? (uint32_t)TEST_PASS : code << 16 | TEST_FAIL;
}

void bare_text(const char *text) {
    while (*text != '\0') {
        UART_DATA = (uint8_t)*text++;
    }
}

void bare_number(uint32_t number) {
    char digits[11];
    char *p = digits + sizeof digits - 1;
    *p = '\0';
    do {
        *--p = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    bare_text(p);
}

static uint32_t instructions(void) {
    uint32_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count));
    return count;
}

void bare_ticks_start(void) {
    started_at = instructions();
}

uint32_t bare_ticks(void) {
    return instructions() - started_at;
}
