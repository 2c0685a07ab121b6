/* The device program for the runner of MLPerf Tiny, instead of csrc/app: the runner sends commands
 * of text that end with '%', and waits for "m-ready". It has no checksums; a damaged character is
 * an unknown command, or a wrong input. */
#include <byteprop/port.h>

#include "clock.h"
#include "command.h"
#include "fault.h"
#include "network.h"
#include "say.h"

#define TERMINATOR '%'
#define COMMAND_BYTES 80u /* the most that the benchmark allows; what is longer is cut off */

static char bp_mlperf_line[COMMAND_BYTES + 1u];

/* Only the characters that a person's terminal adds are left out. */
static int is_text(int byte) {
    return byte >= ' ' && byte <= '~';
}

static void take(int byte) {
    static uint8_t n;
    if (byte == TERMINATOR) {
        bp_mlperf_line[n] = 0;
        n = 0;
        mlperf_command(bp_mlperf_line);
    } else if (is_text(byte) && n < COMMAND_BYTES) {
        bp_mlperf_line[n++] = (char)byte;
    }
}

/* The build has put a good model into flash; anything else is a broken board. */
static void open_model(void) {
    const bp_status_t status = mlperf_open();
    while (status != BP_OK) {
        MLPERF_SAY("e-[The model in flash is damaged: status ");
        mlperf_say_number((uint64_t)status);
        MLPERF_SAY("]" MLPERF_END);
        while (bp_port_rx() < 0) {
        }
    }
}

int bp_app_main(void) {
    bp_port_init();
    MLPERF_SAY("m-timestamp-mode-performance" MLPERF_END);
    mlperf_timestamp();
    open_model();
    MLPERF_SAY("m-init-done" MLPERF_END);
    mlperf_ready();
    for (;;) {
        const int byte = bp_port_rx();
        if (byte >= 0) {
            take(byte);
            mlperf_check_stack();
        }
    }
}
