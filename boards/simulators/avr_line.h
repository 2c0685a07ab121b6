/* A microcontroller of simavr and the line at its USART0, which is a file descriptor. For programs of
 * one source file: each function is compiled where it is used. */
#ifndef AVR_LINE_H
#define AVR_LINE_H

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    int fd;
    int is_full; /* the UART takes no byte at present */
    uint8_t waiting[4096];
    size_t n_waiting, n_taken;
    avr_irq_t *input;
} avr_line_t;

/* NULL when simavr does not know the microcontroller. */
static inline avr_t *avr_line_mcu(const char *name, const char *hz) {
    avr_t *avr = avr_make_mcu_by_name(name);
    if (avr != NULL) {
        avr_init(avr);
        avr->log = LOG_ERROR;
        avr->frequency = (uint32_t)strtoul(hz, NULL, 10);
    }
    return avr;
}

static inline void avr_line_on_room(avr_irq_t *irq, uint32_t value, void *context) {
    (void)irq;
    (void)value;
    ((avr_line_t *)context)->is_full = 0;
}

static inline void avr_line_on_full(avr_irq_t *irq, uint32_t value, void *context) {
    (void)irq;
    (void)value;
    ((avr_line_t *)context)->is_full = 1;
}

/* on_sent gets each byte that the UART sends, and `context`. */
static inline void avr_line_connect(avr_t *avr, avr_line_t *line, avr_irq_notify_t on_sent,
                                    void *context) {
    uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
    uint32_t no_flags = 0; /* neither prints what is sent nor sleeps */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
    line->input = avr_io_getirq(avr, uart, UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUTPUT), on_sent, context);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XON), avr_line_on_room, line);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XOFF), avr_line_on_full, line);
}

/* The UART gets what waits, as far as it has room. */
static inline void avr_line_give(avr_line_t *line) {
    while (!line->is_full && line->n_taken < line->n_waiting) {
        avr_raise_irq(line->input, line->waiting[line->n_taken++]);
    }
}

static inline void avr_line_forget(avr_line_t *line) {
    line->n_waiting = line->n_taken = 0;
    line->is_full = 0;
}

#endif
