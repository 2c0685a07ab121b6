/* Microseconds since reset, from the board's counter. */
#ifndef BYTEPROP_MLPERF_CLOCK_H
#define BYTEPROP_MLPERF_CLOCK_H

#include <stdint.h>

/* Takes over what the counter has counted; call it more often than the counter wraps. */
void mlperf_clock_update(void);
/* Updates, too. */
uint64_t mlperf_microseconds(void);

#endif
