/* RV32 start-up in C: memory, ticks, traps, reset. */
#include <byteprop/link.h>
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#define MIE_EXTERNAL (1u << 11)

/* From the linker script. */
extern uint8_t bp_stack_limit[], bp_stack_top[];

void bp_start(void);
void bp_start_c(void);
void bp_interrupt(void);
void bp_trap_report(uint32_t sp);

__attribute__((used)) void bp_start_c(void) {
    bp_data_init();
    bp_stack_paint();
    bp_app_main();
    bp_port_reset();
}

void bp_arch_init(void) {
    __asm volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
}

void bp_ticks_init(void) {}

uint32_t bp_port_ticks(void) {
    uint32_t instructions;
    __asm volatile("csrr %0, minstret" : "=r"(instructions));
    return instructions;
}

__attribute__((interrupt("machine"), used)) void bp_interrupt(void) {
    bp_soc_irq();
}

__attribute__((used)) void bp_trap_report(uint32_t sp) {
    uint32_t pc;
    uint32_t address;
    __asm volatile("csrr %0, mepc" : "=r"(pc));
    __asm volatile("csrr %0, mtval" : "=r"(address));
    if (sp < (uintptr_t)bp_stack_limit || sp > (uintptr_t)bp_stack_top) {
        bp_app_fault(BP_FAULT_STACK, pc, sp);
    } else {
        bp_app_fault(BP_FAULT_HARD, pc, address);
    }
    bp_port_reset();
}

/* The start-up code puts every register and all memory that the program relies on into the state
 * of a fresh start, so jumping there is a reset on every RV32, whatever its watchdog can do. */
void bp_port_reset(void) {
    bp_arch_irq_off();
    __asm volatile("j bp_start");
    __builtin_unreachable();
}
