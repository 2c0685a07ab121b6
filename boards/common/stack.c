/* Stack bounds: the start-up code paints the free part; what keeps the paint was never used. The
 * lowest bytes are the guard, more than a call may leave unwritten between what it saves. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#define BP_STACK_PAINT 0xC5u
#define BP_STACK_GUARD_BYTES 16u

/* The arch says where the stack ends (lowest address) and begins. */
extern uint8_t bp_stack_limit[];
extern uint8_t bp_stack_top[];

void bp_stack_paint(void) {
    volatile uint8_t *p = bp_stack_limit;
    volatile uint8_t *end = (volatile uint8_t *)bp_arch_sp();
    while (p < end) {
        *p++ = BP_STACK_PAINT;
    }
}

uint32_t bp_port_stack_bytes(void) {
    return (uint32_t)((uintptr_t)bp_stack_top - (uintptr_t)bp_stack_limit);
}

uint32_t bp_port_stack_free(void) {
    const volatile uint8_t *p = bp_stack_limit;
    while ((uintptr_t)p < (uintptr_t)bp_stack_top && *p == BP_STACK_PAINT) {
        p++;
    }
    return (uint32_t)((uintptr_t)p - (uintptr_t)bp_stack_limit);
}

int bp_port_stack_intact(void) {
    const volatile uint8_t *p = bp_stack_limit;
    uint8_t i;
    for (i = 0; i < BP_STACK_GUARD_BYTES; i++) {
        if (p[i] != BP_STACK_PAINT) {
            return 0;
        }
    }
    return 1;
}
