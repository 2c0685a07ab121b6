/* The host as a board: the device program as a native process.
 *
 *     byteprop-device FD
 *
 * FD is an inherited file descriptor that is the line: the master of a pseudo-terminal, or one end
 * of a socket pair. The process ends when the line is closed or when its parent has gone. RESET and
 * SIGHUP (the reset button) restart the program, so that it forgets everything, as a board does.
 */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#if defined(__linux__)
#define _GNU_SOURCE /* registers in ucontext_t */
#endif

#include <byteprop/link.h>
#include <byteprop/port.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PARENT_CHECK_MS 1000
#define MAIN_STACK_MARGIN (1024u * 1024u)

static char **arguments;
static int line = -1;
static pid_t parent;
static uintptr_t stack_top;

static uint8_t rx[4096];
static size_t rx_used;
static size_t rx_next;
static uint8_t tx[8192];
static size_t tx_used;

static void end(void) {
    _exit(0); /* the line is closed: there is no host to report to */
}

static void flush(void) {
    size_t done = 0;
    while (done < tx_used) {
        const ssize_t n = write(line, tx + done, tx_used - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            end();
        }
    }
    tx_used = 0;
}

static void fill(void) {
    struct pollfd readable = {line, POLLIN, 0};
    const int ready = poll(&readable, 1, PARENT_CHECK_MS);
    if (getppid() != parent) {
        end();
    }
    if (ready <= 0) {
        return;
    }
    const ssize_t n = read(line, rx, sizeof rx);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        end();
    }
    rx_used = n > 0 ? (size_t)n : 0;
    rx_next = 0;
}

int bp_port_rx(void) {
    if (rx_next == rx_used) {
        flush();
        rx_used = 0;
        rx_next = 0;
        fill();
    }
    return rx_next < rx_used ? rx[rx_next++] : -1;
}

uint32_t bp_port_rx_overruns(void) {
    return 0; /* the operating system holds the sender back instead */
}

/* A zero on its own ends a frame (or begins one): what is there goes out, also from a long job. */
void bp_port_tx(const uint8_t *data, uint16_t n) {
    for (uint16_t i = 0; i < n; i++) {
        if (tx_used == sizeof tx) {
            flush();
        }
        tx[tx_used++] = data[i];
    }
    if (n == 1 && data[0] == 0 && tx_used > 1) {
        flush();
    }
}

uint32_t bp_port_ticks(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

/* Not measured here: 0 of 0. The guard is the unmapped page below the stack. */
uint32_t bp_port_stack_free(void) {
    return 0;
}

uint32_t bp_port_stack_bytes(void) {
    return 0;
}

int bp_port_stack_intact(void) {
    return 1;
}

void bp_port_reset(void) {
    flush();
    /* A fault handler may have led here. The reset button waits until it is served again. */
    sigset_t button;
    sigemptyset(&button);
    sigaddset(&button, SIGHUP);
    sigprocmask(SIG_SETMASK, &button, NULL);
    execv("/proc/self/exe", arguments);
    execv(arguments[0], arguments);
    end();
}

/* The reset button: SIGHUP restarts the program at once, whatever it is doing. */
static void on_reset(int number) {
    (void)number;
    tx_used = 0;
    bp_port_reset();
}

/* Program counter at the fault, as an offset into the executable. */
static uint32_t fault_pc(const void *context) {
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
    extern const char __executable_start[];
    const ucontext_t *machine = context;
#if defined(__x86_64__)
    const uintptr_t pc = (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
#else
    const uintptr_t pc = (uintptr_t)machine->uc_mcontext.pc;
#endif
    return (uint32_t)(pc - (uintptr_t)__executable_start);
#else
    (void)context;
    return 0;
#endif
}

static int is_below_stack(uintptr_t address) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return 0;
    }
    const uintptr_t bottom = stack_top - (uintptr_t)limit.rlim_cur;
    return address < bottom + MAIN_STACK_MARGIN && address > bottom - MAIN_STACK_MARGIN;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    const uintptr_t address = (uintptr_t)info->si_addr;
    const uint8_t cause =
        number == SIGSEGV && is_below_stack(address) ? BP_FAULT_STACK : BP_FAULT_HARD;
    bp_app_fault(cause, fault_pc(context), (uint32_t)address);
}

static void catch_faults(void) {
    static uint8_t handler_stack[64 * 1024];
    const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    stack_t stack;
    struct sigaction action;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = handler_stack;
    stack.ss_size = sizeof handler_stack;
    sigaltstack(&stack, NULL);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

void bp_port_init(void) {
    parent = getppid();
    signal(SIGPIPE, SIG_IGN);
    catch_faults();
    signal(SIGHUP, on_reset);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int parse_line(const char *text) {
    char *rest;
    const long value = strtol(text, &rest, 10);
    return *text == '\0' || *rest != '\0' || value < 0 || value > INT_MAX ? -1 : (int)value;
}

int main(int argc, char **argv) {
    uint8_t here = 0;
    stack_top = (uintptr_t)&here;
    arguments = argv;
    line = argc == 2 ? parse_line(argv[1]) : -1;
    if (line < 0) {
        fprintf(stderr, "usage: %s FD, an open file descriptor that is the line\n", argv[0]);
        return 2;
    }
    return bp_app_main();
}
