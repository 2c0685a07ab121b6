/* RV32 start-up in C: memory and traps. */
#include <byteprop/link.h>
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

/* From the linker script. */
extern uint8_t bp_stack_limit[], bp_stack_top[];

void bp_start_c(void);
void bp_interrupt(void);
void bp_trap_report(uint32_t sp);

__attribute__((used)) void bp_start_c(void) {
    bp_data_init();
    bp_stack_paint();
    bp_app_main();
    bp_port_reset();
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
