/* check.c as a program of the host, for every instruction set that its CPU has. Buffers end where
 * the heap's block ends, so that a sanitizer sees every byte read beyond. */
#include "check.h"

#include <byteprop/kernels.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *blocks[CHECK_SLOTS];
static int differences;

static uint8_t *buffer(uint32_t slot, uint32_t n) {
    free(blocks[slot]);
    blocks[slot] = malloc(n);
    if (blocks[slot] == NULL) {
        exit(2);
    }
    return blocks[slot];
}

static void report(const char *what, uint32_t number) {
    differences = 1;
    printf("different: %s %u\n", what, (unsigned)number);
}

int main(void) {
    const char *isa;
    for (int i = 0; (isa = bp_isa_available(i)) != NULL; ++i) {
        if (bp_isa_select(isa) != 0) {
            return 2;
        }
        printf("%s %u\n", bp_isa_name(), (unsigned)check_all(buffer, report));
    }
    for (size_t slot = 0; slot < CHECK_SLOTS; ++slot) {
        free(blocks[slot]);
    }
    return differences;
}
