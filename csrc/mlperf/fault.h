#ifndef BYTEPROP_MLPERF_FAULT_H
#define BYTEPROP_MLPERF_FAULT_H

/* Reports a fault and resets the board if the stack has left its bounds. */
void mlperf_check_stack(void);

#endif
