/* RV32 trap entry. Interrupts are served on the program's stack. On anything else the stack may be
 * what failed, so the report runs on a fresh one and nothing returns. */

    .section .text.bp_trap_entry, "ax"
    .globl bp_trap_entry
    .align 2
bp_trap_entry:
    csrw mscratch, t0
    csrr t0, mcause
    bgez t0, 1f
    csrr t0, mscratch
    j bp_interrupt
1:
    mv a0, sp
    la sp, bp_stack_top
    j bp_trap_report
