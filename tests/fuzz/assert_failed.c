/* A failed assertion of the library is a crash for the fuzzer. */
#include <byteprop/config.h>
#include <stdlib.h>

void bp_assert_failed(const char *file, int line) {
    (void)file;
    (void)line;
    abort();
}
