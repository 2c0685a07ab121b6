#pragma once
#include <zephyr/device.h>
#define __aligned(n) __attribute__((aligned(n)))
#define ARG_UNUSED(x) (void)(x)
typedef struct {
    int64_t ticks;
} k_timeout_t;
#define K_FOREVER ((k_timeout_t){-1})
struct k_sem {
    unsigned int count;
};
#define K_SEM_DEFINE(name, initial, limit) struct k_sem name = {initial}
void k_sem_give(struct k_sem *sem);
int k_sem_take(struct k_sem *sem, k_timeout_t timeout);
int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);
int32_t k_msleep(int32_t ms);
