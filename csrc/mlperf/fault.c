#include "fault.h"

#include <byteprop/link.h>
#include <byteprop/port.h>

#include "say.h"

void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address) {
    MLPERF_SAY(MLPERF_END "e-[Fault ");
    mlperf_say_number(cause);
    MLPERF_SAY(" at ");
    mlperf_say_hex(pc, 4);
    MLPERF_SAY(", address ");
    mlperf_say_hex(address, 4);
    MLPERF_SAY("; the board resets]" MLPERF_END);
    bp_port_reset();
}

void mlperf_check_stack(void) {
    if (!bp_port_stack_intact()) {
        bp_app_fault(BP_FAULT_STACK, 0, 0);
    }
}

#if BP_ASSERTIONS
void bp_assert_failed(const char *file, int line) {
    (void)file;
    bp_app_fault(BP_FAULT_ASSERT, 0, (uint32_t)line);
    for (;;) {
    }
}
#endif
