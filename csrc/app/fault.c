#include "fault.h"

#include <byteprop/crc32.h>

#include "bytes.h"
#include "features.h"
#include "frames.h"

void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address) {
    uint8_t payload[9];
    payload[0] = cause;
    app_put_u32(payload + 1, pc);
    app_put_u32(payload + 5, address);
    app_send(BP_MSG_FAULT, 0, 0, payload, sizeof payload);
    bp_port_reset();
}

void app_check_stack(void) {
    if (!bp_port_stack_intact()) {
        bp_app_fault(BP_FAULT_STACK, 0, 0);
    }
}

#if BP_ASSERTIONS
/* The CRC-32 of the file's name stands for it: the host knows the names of the sources. */
void bp_assert_failed(const char *file, int line) {
    const char *name = file;
    uint16_t n = 0;
    for (; *file != 0; file++) {
        if (*file == '/' || *file == '\\') {
            name = file + 1;
            n = 0;
        } else {
            n++;
        }
    }
    bp_app_fault(BP_FAULT_ASSERT, bp_crc32(0, (const uint8_t *)name, n), (uint32_t)line);
    for (;;) {
    }
}
#endif
