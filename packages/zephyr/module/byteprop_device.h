/* The device program over a UART of Zephyr, which can be a USB port (CDC ACM). */
#ifndef BYTEPROP_DEVICE_H
#define BYTEPROP_DEVICE_H

#include <zephyr/device.h>

/* Answers `byteprop verify` on this thread; never returns. uart: ready, with interrupts. */
void byteprop_device_run(const struct device *uart);

#endif
