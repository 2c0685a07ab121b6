/* What a C library's start-up code does to memory, for toolchains used without one. */
#include "bp_board.h"

/* From the linker script. */
extern uint32_t bp_data_load[], bp_data_start[], bp_data_end[], bp_bss_start[], bp_bss_end[];

void bp_data_init(void) {
    volatile uint32_t *to = bp_data_start;
    const volatile uint32_t *from = bp_data_load;
    while (to < bp_data_end) {
        *to++ = *from++;
    }
    for (to = bp_bss_start; to < bp_bss_end; to++) {
        *to = 0;
    }
}
