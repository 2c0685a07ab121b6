/* Cortex-M start-up: vectors, memory, faults, reset. Serves ARMv6-M, v7-M and v7E-M. */
#include <byteprop/link.h>
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#define SCB_VTOR BP_REG32(0xE000ED08)
#define SCB_AIRCR BP_REG32(0xE000ED0C)
#define SCB_CFSR BP_REG32(0xE000ED28)
#define SCB_MMFAR BP_REG32(0xE000ED34)
#define SCB_BFAR BP_REG32(0xE000ED38)
#define NVIC_ISER(n) BP_REG32(0xE000E100 + 4 * (n))

#define AIRCR_SYSRESETREQ 0x05FA0004u
#define CFSR_MMARVALID (1u << 7)
#define CFSR_BFARVALID (1u << 15)

/* From the linker script. */
extern uint8_t bp_stack_limit[], bp_stack_top[];

void bp_reset_handler(void);
void bp_fault_handler(void);
void bp_fault_report(const uint32_t *sp);
void bp_systick_handler(void);

/* A board without SysTick ticks never enables it. */
__attribute__((weak)) void bp_systick_handler(void) {}

typedef void (*bp_vector_t)(void);

/* All device interrupts are the UART's: nothing else is enabled. */
__attribute__((section(".vectors"),
               used)) static const bp_vector_t bp_vectors[16 + BP_UART_IRQ + 1] = {
    (bp_vector_t)(uintptr_t)bp_stack_top,
    bp_reset_handler,
    bp_fault_handler, /* NMI */
    bp_fault_handler, /* hard fault */
    bp_fault_handler, /* memory management */
    bp_fault_handler, /* bus fault */
    bp_fault_handler, /* usage fault */
    bp_fault_handler,
    bp_fault_handler,
    bp_fault_handler,
    bp_fault_handler,
    bp_fault_handler, /* SVCall */
    bp_fault_handler, /* debug monitor */
    bp_fault_handler,
    bp_fault_handler, /* PendSV */
    bp_systick_handler,
    [16 + BP_UART_IRQ] = bp_soc_irq,
#ifdef BP_UART_ERROR_IRQ /* where it is another one, of a smaller number */
    [16 + BP_UART_ERROR_IRQ] = bp_soc_irq,
#endif
};

void bp_reset_handler(void) {
    bp_data_init();
    bp_stack_paint();
#if __ARM_ARCH >= 7
    SCB_VTOR = (uint32_t)(uintptr_t)bp_vectors;
#endif
    bp_app_main();
    bp_port_reset();
}

void bp_arch_init(void) {
    NVIC_ISER(BP_UART_IRQ / 32) = 1u << (BP_UART_IRQ % 32);
}

void bp_port_reset(void) {
    bp_soc_drain();
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    for (;;) {
        __asm volatile("dsb" ::: "memory");
    }
}

/* The stack may be what failed, so the report runs on a fresh one; nothing returns from here. */
__attribute__((naked)) void bp_fault_handler(void) {
    __asm volatile("cpsid i\n"
                   "mov r0, sp\n"
                   "ldr r1, 1f\n"
                   "mov sp, r1\n"
                   "ldr r1, 2f\n"
                   "bx r1\n"
                   ".align 2\n"
                   "1: .word bp_stack_top\n"
                   "2: .word bp_fault_report\n");
}

static uint32_t fault_address(void) {
#if __ARM_ARCH >= 7
    uint32_t cfsr = SCB_CFSR;
    if (cfsr & CFSR_MMARVALID) {
        return SCB_MMFAR;
    }
    if (cfsr & CFSR_BFARVALID) {
        return SCB_BFAR;
    }
#endif
    return 0;
}

/* sp: the eight words that the core stacked, if the stack was in its bounds. */
__attribute__((used)) void bp_fault_report(const uint32_t *sp) {
    uintptr_t p = (uintptr_t)sp;
    if (p < (uintptr_t)bp_stack_limit || p > (uintptr_t)bp_stack_top - 32) {
        bp_app_fault(BP_FAULT_STACK, 0, (uint32_t)p);
    } else {
        bp_app_fault(BP_FAULT_HARD, sp[6], fault_address());
    }
    bp_port_reset();
}
