/* Arm MPS2 with the AN386 image (Cortex-M4), as QEMU emulates it: vectors, start-up, console on
 * UART 0. What main returns goes to the emulator by semihosting; on hardware without a debugger
 * leave that out. */
#include <stdint.h>

#include "board.h"

#define UART0_DATA (*(volatile uint32_t *)0x40004000)
#define UART0_STATE (*(volatile uint32_t *)0x40004004)
#define UART0_CTRL (*(volatile uint32_t *)0x40004008)
#define UART0_BAUDDIV (*(volatile uint32_t *)0x40004010)
#define STATE_TX_FULL 1u
#define CTRL_TX 1u

#define SYS_EXIT_EXTENDED 0x20
#define STOPPED_BY_EXIT 0x20026u

/* From the linker script. */
extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(void);
void reset_handler(void);
void fault_handler(void);

typedef void (*vector_t)(void);

__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    (vector_t)(uintptr_t)stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* hard fault */
    fault_handler, /* memory management */
    fault_handler, /* bus fault */
    fault_handler, /* usage fault */
};

static void leave(uint32_t code) {
    const uint32_t block[2] = {STOPPED_BY_EXIT, code};
    register uint32_t operation __asm("r0") = SYS_EXIT_EXTENDED;
    register const uint32_t *parameters __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(operation) : "r"(parameters) : "memory");
    for (;;) {
    }
}

void reset_handler(void) {
    const volatile uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < data_end; ++to) {
        *to = *from++;
    }
    for (volatile uint32_t *to = bss_start; to < bss_end; ++to) {
        *to = 0;
    }
    leave((uint32_t)main());
}

void fault_handler(void) {
    board_write("fault\n");
    leave(2);
}

void board_init(void) {
    UART0_BAUDDIV = 16;
    UART0_CTRL = CTRL_TX;
}

void board_write(const char *text) {
    for (; *text != '\0'; ++text) {
        while (UART0_STATE & STATE_TX_FULL) {
        }
        UART0_DATA = (uint8_t)*text;
    }
}
