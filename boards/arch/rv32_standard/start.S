/* Start-up where traps go to one address and `mie` masks them, as the privileged specification has
 * it. */

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
