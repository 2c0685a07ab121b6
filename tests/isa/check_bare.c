/* check.c as a bare program: prints the instruction set, the number of comparisons and every
 * difference; the exit code is 0 when there is none. */
#include "bare.h"
#include "check.h"

#include <byteprop/kernels.h>

static uint32_t storage[(CHECK_X_BYTES + CHECK_WEIGHT_BYTES + CHECK_MORE_BYTES) / 4];
static int differences;

static uint8_t *buffer(uint32_t slot, uint32_t n) {
    static const uint32_t sizes[] = {CHECK_X_BYTES, CHECK_WEIGHT_BYTES, CHECK_MORE_BYTES};
    uint8_t *start = (uint8_t *)storage;
    if (n > sizes[slot]) {
        return 0; /* a fault, which the test sees */
    }
    while (slot != 0) {
        start += sizes[--slot];
    }
    return start;
}

static void report(const char *what, uint32_t number) {
    differences = 1;
    bare_text("different: ");
    bare_text(what);
    bare_text(" ");
    bare_number(number);
    bare_text("\n");
}

int bare_main(void) {
    uint32_t comparisons = check_all(buffer, report);
    bare_text(bp_isa_name());
    bare_text(" ");
    bare_number(comparisons);
    bare_text("\n");
    return differences;
}
