/* An Arduino with its boot loader in simavr, on the master of a pseudo-terminal.
 *
 *     avr_board MCU HZ BOOT.bin BOOT_ADDRESS FD DUMP
 *
 * Flash is empty but for the boot loader, and the reset vector is the boot loader's, as the fuses of
 * these boards have it. Opening the port resets the chip, as DTR does through the capacitor at
 * the reset line. At SIGTERM the flash is written to DUMP. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SLICE_CYCLES = 2000, /* between two looks at the line */
    IDLE_MS = 2
};

#define AHEAD_S 0.003 /* a sleep takes longer than what is asked for */

typedef struct {
    int fd;
    int is_open, is_full;
    int has_crashed; /* the program; until the next reset */
    uint8_t waiting[4096];
    size_t n_waiting, n_taken;
    avr_irq_t *input;
} line_t;

static volatile sig_atomic_t end_is_due;

static void on_end(int number) {
    (void)number;
    end_is_due = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "avr_board: %s: %s\n", what, why);
    exit(1);
}

/* Waits for a slow reader; what is sent while nobody has the port open is lost. */
static void on_sent(avr_irq_t *irq, uint32_t value, void *context) {
    line_t *line = context;
    uint8_t byte = (uint8_t)value;
    (void)irq;
    while (line->is_open && write(line->fd, &byte, 1) != 1) {
        struct pollfd room = {line->fd, POLLOUT, 0};
        if (errno != EAGAIN || poll(&room, 1, 100) < 0 || (room.revents & POLLHUP)) {
            return;
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

static void connect_line(avr_t *avr, line_t *line) {
    uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
    uint32_t no_flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
    line->input = avr_io_getirq(avr, uart, UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUTPUT), on_sent, line);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XON), on_room, line);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XOFF), on_full, line);
    fcntl(line->fd, F_SETFL, fcntl(line->fd, F_GETFL) | O_NONBLOCK);
}

static void load_boot_loader(avr_t *avr, const char *path, uint32_t start) {
    FILE *file = fopen(path, "rb");
    memset(avr->flash, 0xFF, avr->flashend + 1u);
    if (file == NULL || start > avr->flashend ||
        fread(avr->flash + start, 1, avr->flashend + 1u - start, file) == 0) {
        fail(path, "cannot be read");
    }
    fclose(file);
    avr->reset_pc = start;
    avr->codeend = avr->flashend;
}

/* Boot loaders look at the flag of the external reset: any other starts the program at once. */
static void pull_reset_line(avr_t *avr, line_t *line) {
    avr_reset(avr);
    avr_regbit_set(avr, avr->reset_flags.extrf);
    line->n_waiting = line->n_taken = 0;
    line->is_full = line->has_crashed = 0;
    avr->state = cpu_Running;
}

/* Takes what has arrived, and sees the port opened and closed. What arrives while nothing runs is
 * lost. */
static void look_at_line(avr_t *avr, line_t *line) {
    struct pollfd asked = {line->fd, POLLIN, 0};
    int is_open, is_idle = !line->is_open || line->has_crashed;
    poll(&asked, 1, is_idle ? IDLE_MS : 0);
    is_open = !(asked.revents & POLLHUP);
    if ((asked.revents & POLLIN) && (is_idle || line->n_taken == line->n_waiting)) {
        ssize_t n = read(line->fd, line->waiting, sizeof line->waiting);
        line->n_taken = 0;
        line->n_waiting = n > 0 && !is_idle ? (size_t)n : 0;
    }
    if (is_open && !line->is_open) {
        pull_reset_line(avr, line);
    }
    if (!is_open) {
        usleep(1000 * IDLE_MS);
    }
    line->is_open = is_open;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The simulated clock does not run ahead of real time, which boot loaders wait by. Where the
 * computer is slower than the chip, nothing is made up for. */
static void keep_time(const avr_t *avr) {
    static double due;
    double now = now_s();
    due += (double)SLICE_CYCLES / avr->frequency;
    if (due < now) {
        due = now;
    } else if (due - now > AHEAD_S) {
        usleep((useconds_t)((due - now) * 1e6));
    }
}

static void run_slice(avr_t *avr, line_t *line) {
    /* A watchdog's reset sets the cycles to 0. */
    for (avr_cycle_count_t end = avr->cycle + SLICE_CYCLES;
         avr->cycle < end && end - avr->cycle <= SLICE_CYCLES;) {
        int state;
        if (!line->is_full && line->n_taken < line->n_waiting) {
            avr_raise_irq(line->input, line->waiting[line->n_taken++]);
        }
        state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) { /* empty flash is no program */
            line->has_crashed = 1;
            return;
        }
    }
}

static void dump(const avr_t *avr, const char *path) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(avr->flash, 1, avr->flashend + 1u, file) != avr->flashend + 1u) {
        fail(path, strerror(errno));
    }
    fclose(file);
}

int main(int argc, char **argv) {
    line_t line = {0};
    avr_t *avr;
    if (argc != 7) {
        fail("usage", "avr_board MCU HZ BOOT.bin BOOT_ADDRESS FD DUMP");
    }
    signal(SIGTERM, on_end);
    avr = avr_make_mcu_by_name(argv[1]);
    if (avr == NULL) {
        fail(argv[1], "simavr does not know this microcontroller");
    }
    avr_init(avr);
    avr->log = LOG_ERROR;
    avr->frequency = (uint32_t)strtoul(argv[2], NULL, 10);
    load_boot_loader(avr, argv[3], (uint32_t)strtoul(argv[4], NULL, 0));
    line.fd = atoi(argv[5]);
    connect_line(avr, &line);
    while (!end_is_due) {
        look_at_line(avr, &line);
        if (line.is_open && !line.has_crashed) {
            run_slice(avr, &line);
            keep_time(avr);
        }
    }
    dump(avr, argv[6]);
    return 0;
}
