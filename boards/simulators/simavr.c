/* An AVR board in simavr, which counts the cycles of every instruction as the data sheet has them.
 *
 *     byteprop-simavr MCU HZ FIRMWARE.bin FD
 *
 * USART0 is the file descriptor FD. SIGHUP is the reset button. Runs on the computer, not on the
 * board; it is compiled where it is first used, against libsimavr. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "avr_line.h"

enum {
    MAX_FLASH_BYTES = 1 << 18,
    SLICE_CYCLES = 1000 /* between two looks at the line: less than two bytes take on it */
};

static volatile sig_atomic_t reset_is_due;

static void on_reset_button(int number) {
    (void)number;
    reset_is_due = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "byteprop-simavr: %s: %s\n", what, why);
    exit(1);
}

/* A host that does not read holds the board up; a reset does not wait for it. */
static void on_sent(avr_irq_t *irq, uint32_t value, void *context) {
    avr_line_t *line = context;
    uint8_t byte = (uint8_t)value;
    (void)irq;
    while (write(line->fd, &byte, 1) != 1 && !reset_is_due) {
        if (errno != EINTR) {
            fail("the line", strerror(errno));
        }
    }
}

static void receive(avr_line_t *line) {
    struct pollfd asked = {line->fd, POLLIN, 0};
    if (line->n_taken == line->n_waiting && poll(&asked, 1, 0) > 0) {
        ssize_t n = read(line->fd, line->waiting, sizeof line->waiting);
        if (n <= 0 && errno != EINTR) {
            fail("the line", n == 0 ? "closed" : strerror(errno));
        }
        line->n_taken = 0;
        line->n_waiting = n > 0 ? (size_t)n : 0;
    }
    avr_line_give(line);
}

static void load(avr_t *avr, const char *path) {
    static uint8_t code[MAX_FLASH_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail(path, strerror(errno));
    }
    size_t n = fread(code, 1, sizeof code, file);
    fclose(file);
    if (n == 0 || n > avr->flashend + 1u) {
        fail(path, "is empty or larger than the flash");
    }
    avr_loadcode(avr, code, (uint32_t)n, 0);
    avr->codeend = avr->flashend;
}

static void press_reset(avr_t *avr, avr_line_t *line) {
    reset_is_due = 0;
    avr_line_forget(line);
    avr_reset(avr);
}

static void run(avr_t *avr, avr_line_t *line) {
    avr_cycle_count_t next = 0;
    for (;;) {
        int state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            fail("the firmware", state == cpu_Done ? "stopped" : "crashed");
        }
        if (reset_is_due) {
            press_reset(avr, line);
            next = 0;
        }
        /* A watchdog's reset sets the cycles to 0. */
        if (avr->cycle >= next || avr->cycle + SLICE_CYCLES < next) {
            receive(line);
            next = avr->cycle + SLICE_CYCLES;
        }
    }
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_reset_button};
    avr_line_t line = {0};
    avr_t *avr;
    sigaction(SIGHUP, &action, NULL); /* without SA_RESTART: it interrupts a write that waits */
    if (argc != 5) {
        fail("usage", "byteprop-simavr MCU HZ FIRMWARE.bin FD");
    }
    avr = avr_line_mcu(argv[1], argv[2]);
    if (avr == NULL) {
        fail(argv[1], "simavr does not know this microcontroller");
    }
    load(avr, argv[3]);
    line.fd = atoi(argv[4]);
    avr_line_connect(avr, &line, on_sent, &line);
    puts("running");
    fflush(stdout);
    run(avr, &line);
}
