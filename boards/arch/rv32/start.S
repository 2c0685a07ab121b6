/* RV32 start-up and trap entry. */

    .section .vectors, "ax"
    .globl bp_start
bp_start:
    csrci mstatus, 8
    csrw mie, zero
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, bp_stack_top
    la t0, bp_trap_entry
    csrw mtvec, t0
    j bp_start_c

/* Interrupts are served on the program's stack. On anything else the stack may be what failed, so
 * the report runs on a fresh one and nothing returns. */
    .section .text.bp_trap_entry, "ax"
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
