/* A PC. */
#include <stdio.h>

#include "board.h"

void board_init(void) {
}

void board_write(const char *text) {
    fputs(text, stdout);
}
