/* The model in flash, and the buffer that the runner fills with one input of it. */
#ifndef BYTEPROP_MLPERF_NETWORK_H
#define BYTEPROP_MLPERF_NETWORK_H

#include <byteprop/status.h>
#include <stdint.h>

bp_status_t mlperf_open(void);

/* Begins to fill the buffer with n bytes; 0 if it does not hold so many. */
int mlperf_buffer_begin(uint32_t n);
/* Appends a byte; 0 if none is expected. */
int mlperf_buffer_put(uint8_t byte);
/* Bytes so far, of how many, and the one at an index below the first. */
uint32_t mlperf_buffer_used(void);
uint32_t mlperf_buffer_size(void);
uint8_t mlperf_buffer_at(uint32_t index);

/* Makes the model's input of the buffer; 0 unless all of it has arrived. */
int mlperf_take_input(void);
/* One inference on that input. */
void mlperf_infer(void);

/* The results, in thousandths; index < mlperf_n_results(). */
uint16_t mlperf_n_results(void);
int32_t mlperf_result(uint16_t index);

#endif
