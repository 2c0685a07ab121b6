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
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_FLASH_BYTES = 1 << 18,
    SLICE_CYCLES = 1000 /* between two looks at the line: less than two bytes take on it */
};

static volatile sig_atomic_t reset_is_due;

typedef struct {
    int fd;
    int is_full; /* the UART takes no byte at present */
    uint8_t waiting[256];
    size_t n_waiting, n_taken;
    avr_irq_t *input;
} line_t;

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
    line_t *line = context;
    uint8_t byte = (uint8_t)value;
    (void)irq;
    while (write(line->fd, &byte, 1) != 1 && !reset_is_due) {
        if (errno != EINTR) {
            fail("the line", strerror(errno));
        }
    }
}

static void on_room(avr_irq_t *irq, uint32_t value, void *context) {
    (void)irq;
    (void)value;
    ((line_t *)context)->is_full = 0;
}

static void on_full(avr_irq_t *irq, uint32_t value, void *context) {
    (void)irq;
    (void)value;
    ((line_t *)context)->is_full = 1;
}

static void receive(line_t *line) {
    struct pollfd asked = {line->fd, POLLIN, 0};
    if (line->n_taken == line->n_waiting && poll(&asked, 1, 0) > 0) {
        ssize_t n = read(line->fd, line->waiting, sizeof line->waiting);
        if (n <= 0 && errno != EINTR) {
            fail("the line", n == 0 ? "closed" : strerror(errno));
        }
        line->n_taken = 0;
        line->n_waiting = n > 0 ? (size_t)n : 0;
    }
    while (!line->is_full && line->n_taken < line->n_waiting) {
        avr_raise_irq(line->input, line->waiting[line->n_taken++]);
    }
}

static void connect_line(avr_t *avr, line_t *line) {
    uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
    uint32_t no_flags = 0; /* neither prints what is sent nor sleeps */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
    line->input = avr_io_getirq(avr, uart, UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUTPUT), on_sent, line);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XON), on_room, line);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XOFF), on_full, line);
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

static void press_reset(avr_t *avr, line_t *line) {
    reset_is_due = 0;
    line->is_full = 0;
    line->n_taken = line->n_waiting;
    avr_reset(avr);
}

static void run(avr_t *avr, line_t *line) {
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
    line_t line = {0};
    avr_t *avr;
    sigaction(SIGHUP, &action, NULL); /* without SA_RESTART: it interrupts a write that waits */
    if (argc != 5) {
        fail("usage", "byteprop-simavr MCU HZ FIRMWARE.bin FD");
    }
    avr = avr_make_mcu_by_name(argv[1]);
    if (avr == NULL) {
        fail(argv[1], "simavr does not know this microcontroller");
    }
    avr_init(avr);
    avr->log = LOG_ERROR;
    avr->frequency = (uint32_t)strtoul(argv[2], NULL, 10);
    load(avr, argv[3]);
    line.fd = atoi(argv[4]);
    connect_line(avr, &line);
    puts("running");
    fflush(stdout);
    run(avr, &line);
}
