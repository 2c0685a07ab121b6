/* An Arduino with its boot loader in simavr, on the master of a pseudo-terminal.
 *
 *     avr_board MCU HZ BOOT.bin BOOT_ADDRESS FD DUMP
 *
 * Flash is empty but for the boot loader, and the reset vector is the boot loader's, as the fuses of
 * these boards have it. Opening the port resets the chip, as DTR does through the capacitor at
 * the reset line; SIGHUP does the same. At SIGTERM the flash is written to DUMP. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "avr_line.h"

enum {
    SLICE_CYCLES = 2000, /* between two looks at the line */
    IDLE_MS = 2,
    BUSY_MS = 10 /* of the chip's time; bytes still pass */
};

#define AHEAD_S 0.003 /* a sleep takes longer than what is asked for */

typedef struct {
    avr_line_t line;
    int is_open;
    int has_crashed;         /* the program; until the next reset */
    avr_cycle_count_t quiet; /* cycles since a byte passed */
} board_t;

static volatile sig_atomic_t end_is_due, reset_is_due;

static void on_end(int number) {
    (void)number;
    end_is_due = 1;
}

static void on_reset_line(int number) {
    (void)number;
    reset_is_due = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "avr_board: %s: %s\n", what, why);
    exit(1);
}

/* Waits for a slow reader; what is sent while nobody has the port open is lost. */
static void on_sent(avr_irq_t *irq, uint32_t value, void *context) {
    board_t *board = context;
    uint8_t byte = (uint8_t)value;
    (void)irq;
    board->quiet = 0;
    while (board->is_open && write(board->line.fd, &byte, 1) != 1) {
        struct pollfd room = {board->line.fd, POLLOUT, 0};
        if (errno != EAGAIN || poll(&room, 1, 100) < 0 || (room.revents & POLLHUP)) {
            return;
        }
    }
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
static void pull_reset_line(avr_t *avr, board_t *board) {
    reset_is_due = 0;
    avr_reset(avr);
    avr_regbit_set(avr, avr->reset_flags.extrf);
    avr_line_forget(&board->line);
    board->has_crashed = 0;
    avr->state = cpu_Running;
}

/* Takes what has arrived, and sees the port opened and closed. What arrives while nothing runs is
 * lost. */
static void look_at_line(avr_t *avr, board_t *board) {
    avr_line_t *line = &board->line;
    struct pollfd asked = {line->fd, POLLIN, 0};
    int is_open, is_idle = !board->is_open || board->has_crashed;
    poll(&asked, 1, is_idle ? IDLE_MS : 0);
    is_open = !(asked.revents & POLLHUP);
    if ((asked.revents & POLLIN) && (is_idle || line->n_taken == line->n_waiting)) {
        ssize_t n = read(line->fd, line->waiting, sizeof line->waiting);
        line->n_taken = 0;
        line->n_waiting = n > 0 && !is_idle ? (size_t)n : 0;
        board->quiet = 0;
    }
    if (reset_is_due || (is_open && !board->is_open)) {
        pull_reset_line(avr, board);
    }
    if (!is_open) {
        usleep(1000 * IDLE_MS);
    }
    board->is_open = is_open;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* While both sides wait, the simulated clock does not run ahead of real time, which boot loaders wait
 * by. While bytes pass it runs as fast as it can: avrdude gives a page of flash two seconds, which a
 * busy computer may need. */
static void keep_time(const avr_t *avr, board_t *board) {
    static double due;
    double now = now_s();
    board->quiet += SLICE_CYCLES;
    if (board->quiet < avr->frequency / 1000 * BUSY_MS) {
        return;
    }
    due += (double)SLICE_CYCLES / avr->frequency;
    if (due < now) {
        due = now;
    } else if (due - now > AHEAD_S) {
        usleep((useconds_t)((due - now) * 1e6));
    }
}

static void run_slice(avr_t *avr, board_t *board) {
    /* A watchdog's reset sets the cycles to 0. */
    for (avr_cycle_count_t end = avr->cycle + SLICE_CYCLES;
         avr->cycle < end && end - avr->cycle <= SLICE_CYCLES;) {
        int state;
        avr_line_give(&board->line);
        state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) { /* empty flash is no program */
            board->has_crashed = 1;
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
    board_t board = {0};
    avr_t *avr;
    if (argc != 7) {
        fail("usage", "avr_board MCU HZ BOOT.bin BOOT_ADDRESS FD DUMP");
    }
    signal(SIGTERM, on_end);
    signal(SIGHUP, on_reset_line);
    avr = avr_line_mcu(argv[1], argv[2]);
    if (avr == NULL) {
        fail(argv[1], "simavr does not know this microcontroller");
    }
    load_boot_loader(avr, argv[3], (uint32_t)strtoul(argv[4], NULL, 0));
    board.line.fd = atoi(argv[5]);
    fcntl(board.line.fd, F_SETFL, fcntl(board.line.fd, F_GETFL) | O_NONBLOCK);
    avr_line_connect(avr, &board.line, on_sent, &board);
    while (!end_is_due) {
        look_at_line(avr, &board);
        if (board.is_open && !board.has_crashed) {
            run_slice(avr, &board);
            keep_time(avr, &board);
        }
    }
    dump(avr, argv[6]);
    return 0;
}
