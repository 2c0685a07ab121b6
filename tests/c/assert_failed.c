/* What the library's own assertions call in the tests. */
#include <byteprop/config.h>
#include <stdio.h>
#include <stdlib.h>

void bp_assert_failed(const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion of the library failed\n", file, line);
    abort();
}
