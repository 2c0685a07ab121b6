/* bare.h for AVR on top of avr-libc's start-up: text goes to the first UART. The emulator has no
 * exit, so the last line has the exit code. There is no SysTick. */
#include <avr/io.h>

#include "bare.h"

int main(void);

static void put(char c) {
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)c;
}

void bare_text(const char *text) {
    while (*text != '\0') {
        put(*text++);
    }
}

void bare_number(uint32_t number) {
    if (number >= 10) {
        bare_number(number / 10);
    }
    put((char)('0' + number % 10));
}

int main(void) {
    UCSR0B = 1 << TXEN0;
    int code = bare_main();
    bare_text("exit ");
    bare_number((uint32_t)code);
    bare_text("\n");
    for (;;) {
    }
}
