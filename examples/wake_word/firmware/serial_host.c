/* A PC: standard input and output. */
#include <stdio.h>

#include "serial.h"

void serial_init(void) {
}

int serial_read(uint8_t *bytes, uint32_t n) {
    return fread(bytes, 1, n, stdin) == n;
}

void serial_write(const uint8_t *bytes, uint32_t n) {
    fwrite(bytes, 1, n, stdout);
    fflush(stdout);
}
