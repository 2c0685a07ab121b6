#include "bare.h"

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define SYST_CSR REG32(0xE000E010)
#define SYST_RVR REG32(0xE000E014)
#define SYST_CVR REG32(0xE000E018)

enum { SYST_MAX = 0xFFFFFF, SYST_ENABLE_CPU_CLOCK = 5 };
enum { SEMIHOSTING_WRITE0 = 4, SEMIHOSTING_EXIT_EXTENDED = 0x20 };
enum { APPLICATION_EXIT = 0x20026 };

extern uint32_t bare_bss_start[], bare_bss_end[], bare_stack_top[];

void bare_reset(void);
void bare_fault(void);

__attribute__((section(".vectors"), used)) static void *const bare_vectors[16] = {
    bare_stack_top, (void *)bare_reset, (void *)bare_fault, (void *)bare_fault,
    (void *)bare_fault, (void *)bare_fault, (void *)bare_fault,
};

static void semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void leave(uint32_t code) {
    uint32_t block[2] = {APPLICATION_EXIT, code};
    semihosting(SEMIHOSTING_EXIT_EXTENDED, block);
    for (;;) {
    }
}

void bare_reset(void) {
    for (volatile uint32_t *p = bare_bss_start; p < bare_bss_end; ++p) {
        *p = 0;
    }
    leave((uint32_t)bare_main());
}

void bare_fault(void) {
    bare_text("fault\n");
    leave(99);
}

void bare_text(const char *text) {
    semihosting(SEMIHOSTING_WRITE0, text);
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

void bare_ticks_start(void) {
    SYST_RVR = SYST_MAX;
    SYST_CVR = 0;
    SYST_CSR = SYST_ENABLE_CPU_CLOCK;
}

uint32_t bare_ticks(void) {
    return SYST_MAX - SYST_CVR;
}
