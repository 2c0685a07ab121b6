/* Tells how many cycles of timer 1 some instructions take: the letter 'a' + n asks for number n. */
#include <avr/io.h>
#include <byteprop/port.h>

/* Number 0 is what reading the timer takes itself. r24 and r25 are free to use; X points to RAM and
 * Z to flash. */
#define CASES                                                                                      \
    CASE(0, "")                                                                                    \
    CASE(1, "nop\n nop\n nop\n")                                                                   \
    CASE(2, "add r24, r25\n movw r24, r24\n")                                                      \
    CASE(3, "muls r24, r25\n clr r1\n")                                                            \
    CASE(4, "adiw r24, 1\n sbiw r24, 1\n")                                                         \
    CASE(5, "lpm r24, Z+\n lpm r25, Z\n")                                                          \
    CASE(6, "ld r24, X+\n ld r25, X\n")                                                            \
    CASE(7, "st X+, r24\n")                                                                        \
    CASE(8, "push r24\n pop r24\n")                                                                \
    CASE(9, "rcall 1f\n rjmp 2f\n 1: ret\n 2:\n")                                                  \
    CASE(10, "call 1f\n jmp 2f\n 1: ret\n 2:\n")                                                   \
    CASE(11, "ldi r24, 10\n 1: dec r24\n brne 1b\n")                                               \
    CASE(12, "ldi r24, 1\n sbrs r24, 0\n jmp 1f\n 1:\n")                                           \
    CASE(13, "ldi r24, 1\n sbrc r24, 0\n nop\n")

static uint8_t memory[4];

#define CASE(number, code)                                                                         \
    case number:                                                                                   \
        __asm volatile("cli\n lds %A0, %4\n lds %B0, %4 + 1\n" code                                \
                       "lds %A1, %4\n lds %B1, %4 + 1\n sei\n"                                     \
                       : "=&l"(from), "=&l"(to), "+x"(x), "+z"(z)                                  \
                       : "n"(_SFR_MEM_ADDR(TCNT1))                                                 \
                       : "r24", "r25", "memory");                                                  \
        break;

static uint16_t cycles(uint8_t number) {
    uint16_t from = 0, to = 0;
    uint8_t *x = memory;
    const uint8_t *z = 0;
    switch (number) { CASES }
    return (uint16_t)(to - from);
}

int bp_app_main(void) {
    bp_port_init();
    for (;;) {
        int byte = bp_port_rx();
        if (byte >= 'a') {
            uint16_t n = cycles((uint8_t)(byte - 'a'));
            uint8_t bytes[2] = {(uint8_t)n, (uint8_t)(n >> 8)};
            bp_port_tx(bytes, sizeof bytes);
        }
    }
}

void bp_app_fault(uint8_t cause, uint32_t pc, uint32_t address) {
    (void)cause;
    (void)pc;
    (void)address;
    bp_port_reset();
}
