/* A board for tests of csrc/mlperf: the line is stdin and stdout, and the counter counts readings. */
#include <byteprop/port.h>
#include <stdio.h>
#include <stdlib.h>


void bp_port_init(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
}

int bp_port_rx(void) {
    const int byte = getchar();
    if (byte == EOF) {
        exit(0);
    }
    return byte;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    fwrite(data, 1, n, stdout);
}

uint32_t bp_port_ticks(void) {
    static uint32_t ticks;
    ticks += BP_TEST_TICKS;
    return ticks;
}

int bp_port_stack_intact(void) {
    return 1;
}

void bp_port_reset(void) {
    exit(3);
}

int main(void) {
    return bp_app_main();
}
