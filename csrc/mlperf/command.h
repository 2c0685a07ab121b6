#ifndef BYTEPROP_MLPERF_COMMAND_H
#define BYTEPROP_MLPERF_COMMAND_H

/* Executes a command of the runner, a string without its '%', and sends its answer. */
void mlperf_command(const char *text);
void mlperf_ready(void);
void mlperf_timestamp(void);

#endif
