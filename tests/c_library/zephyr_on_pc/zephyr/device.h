/* Declarations as in Zephyr 3.7, of what the module uses. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct device {
    const char *name;
};
bool device_is_ready(const struct device *dev);
extern const struct device chosen_console;
#define DEVICE_DT_GET(node) (&node)
