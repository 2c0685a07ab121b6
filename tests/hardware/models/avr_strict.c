/* An AVR in simavr whose UART and timer are as strict as real ones. simavr itself sends at any rate and
 * in any frame, as long as the transmitter is on.
 *
 *     avr_strict MCU HZ BAUD FIRMWARE.bin < REQUEST > ANSWER
 *
 * The registers begin as another program may have left them. REQUEST is sent to the program once it
 * has started; what it does wrong is written to stderr, a line each. ATmega328P data sheet,
 * 20.11 and 16.11; the ATmega2560 has the same registers at the same addresses. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "avr_line.h"

enum {
    START_MS = 60,
    ANSWER_MS = 60,
    TCCR1A = 0x80,
    TCCR1B = 0x81,
    TIMSK1 = 0x6F,
    UCSR0A = 0xC0,
    UCSR0B = 0xC1,
    UCSR0C = 0xC2,
    UBRR0 = 0xC4,
    DOUBLE_SPEED = 1 << 1,
    READY = 1 << 5,
    TRANSMITTER = 1 << 3,
    EIGHT_BITS_NO_PARITY_ONE_STOP = 0x06,
    BITS_OF_A_BYTE = 10
};

#define MOST_ERROR 0.025

typedef struct {
    avr_t *avr;
    double baud;
    avr_cycle_count_t leaves[2]; /* when the last two bytes have left */
} uart_t;

static void fault(const char *what) {
    fprintf(stderr, "%s\n", what);
}

static void check_uart(const uint8_t *registers, double baud, double cycles_of_bit, double hz) {
    if (registers[UCSR0C] != EIGHT_BITS_NO_PARITY_ONE_STOP) {
        fault("the frame is not 8 bits, no parity, one stop bit");
    }
    if ((registers[UCSR0B] & TRANSMITTER) == 0) {
        fault("the transmitter is off");
    }
    if (fabs(hz / cycles_of_bit / baud - 1) > MOST_ERROR) {
        fault("the baud rate is wrong");
    }
}

static void check_timer(const uint8_t *registers) {
    if (registers[TCCR1A] != 0 || registers[TCCR1B] != 1) {
        fault("timer 1 does not count the CPU's clock up to 65,535");
    }
    if (registers[TIMSK1] != 1) {
        fault("overflows of timer 1 are not counted");
    }
}

/* One byte is on its way and one waits behind it; a third is lost. */
static void on_sent(avr_irq_t *irq, uint32_t value, void *context) {
    uart_t *uart = context;
    const avr_t *avr = uart->avr;
    const uint8_t *registers = avr->data;
    double clocks = (registers[UCSR0A] & DOUBLE_SPEED) != 0 ? 8 : 16;
    double bit = clocks * (1 + (registers[UBRR0] | registers[UBRR0 + 1] << 8));
    avr_cycle_count_t begins = avr->cycle > uart->leaves[1] ? avr->cycle : uart->leaves[1];
    (void)irq;
    check_uart(registers, uart->baud, bit, avr->frequency);
    check_timer(registers);
    if (avr->cycle < uart->leaves[0]) {
        fault("a byte was written before there was room for it");
    }
    uart->leaves[0] = uart->leaves[1];
    uart->leaves[1] = begins + (avr_cycle_count_t)(bit * BITS_OF_A_BYTE);
    putchar((int)value);
}

/* What a boot loader or a program before may have left. */
static void leave_state(uint8_t *registers) {
    registers[UCSR0A] = READY; /* at the single speed */
    registers[UCSR0B] = 0;
    registers[UCSR0C] = 0x2E; /* even parity, two stop bits */
    registers[UBRR0] = registers[UBRR0 + 1] = 0;
    registers[TCCR1A] = 0x03; /* a PWM of 10 bits */
    registers[TCCR1B] = 0x00;
}

static int run_ms(avr_t *avr, avr_line_t *line, unsigned ms) {
    avr_cycle_count_t end = avr->cycle + (avr_cycle_count_t)avr->frequency / 1000 * ms;
    while (avr->cycle < end) {
        int state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            fault("the program ended");
            return 0;
        }
        avr_line_give(line);
    }
    return 1;
}

static size_t load(avr_t *avr, const char *path) {
    FILE *file = fopen(path, "rb");
    size_t n = file == NULL ? 0 : fread(avr->flash, 1, avr->flashend + 1u, file);
    if (file != NULL) {
        fclose(file);
    }
    avr->codeend = avr->flashend;
    return n;
}

int main(int argc, char **argv) {
    avr_line_t line = {0};
    uart_t uart = {0};
    uart.avr = argc == 5 ? avr_line_mcu(argv[1], argv[2]) : NULL;
    if (uart.avr == NULL || load(uart.avr, argv[4]) == 0) {
        fault("usage: avr_strict MCU HZ BAUD FIRMWARE.bin");
        return 1;
    }
    uart.baud = strtod(argv[3], NULL);
    avr_line_connect(uart.avr, &line, on_sent, &uart);
    leave_state(uart.avr->data);
    if (run_ms(uart.avr, &line, START_MS)) {
        line.n_waiting = fread(line.waiting, 1, sizeof line.waiting, stdin);
        run_ms(uart.avr, &line, ANSWER_MS);
    }
    return 0;
}
