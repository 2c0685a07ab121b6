/* The device program's port (<byteprop/port.h>) over a UART of Zephyr. */
#include "byteprop_device.h"

#include <byteprop/config.h>
#include <byteprop/port.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/sys/ring_buffer.h>

static uint8_t __aligned(16) pool[CONFIG_BYTEPROP_POOL_BYTES];
static const struct device *line;
static uint32_t lost;

RING_BUF_DECLARE(received, BP_LINK_RX_WINDOW + 1);
K_SEM_DEFINE(something, 0, 1);

static void on_interrupt(const struct device *dev, void *context) {
    uint8_t bytes[16];
    ARG_UNUSED(context);
    while (uart_irq_update(dev) && uart_irq_rx_ready(dev)) {
        const int n = uart_fifo_read(dev, bytes, sizeof bytes);
        if (n <= 0) {
            break;
        }
        lost += (uint32_t)n - ring_buf_put(&received, bytes, (uint32_t)n);
        k_sem_give(&something);
    }
}

void byteprop_device_run(const struct device *uart) {
    line = uart;
    bp_app_given.pool = pool;
    bp_app_given.pool_bytes = sizeof pool;
    bp_app_main();
}

void bp_port_init(void) {
    (void)uart_irq_callback_user_data_set(line, on_interrupt, NULL);
    uart_irq_rx_enable(line);
}

int bp_port_rx(void) {
    uint8_t byte;
    if (ring_buf_get(&received, &byte, 1) == 1) {
        return byte;
    }
    (void)k_sem_take(&something, K_FOREVER);
    return -1;
}

uint32_t bp_port_rx_overruns(void) {
    return lost;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n-- != 0) {
        uart_poll_out(line, *data++);
    }
}

/* Microseconds, in steps of the kernel's tick. */
uint32_t bp_port_ticks(void) {
    return (uint32_t)k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}

/* The stack is the thread's, and Zephyr guards it. */
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
    k_msleep(20); /* USB sends later */
    sys_reboot(SYS_REBOOT_COLD);
}
