/* What the build passes, in addition to what byteprop/port.h lists: BP_MLPERF_MODEL (a string, the
 * benchmark's name for the model), BP_MLPERF_FORMAT, and BP_MLPERF_INPUTS (elements of the model's
 * only input). */
#ifndef BYTEPROP_MLPERF_SETTINGS_H
#define BYTEPROP_MLPERF_SETTINGS_H

/* What the runner sends for one element of the input. */
#define MLPERF_CODES 0  /* the model's own int8 */
#define MLPERF_PIXELS 1 /* uint8, 128 more than the int8 */
#define MLPERF_REALS 2  /* float32; the result is the mean squared error of the output */

#define MLPERF_IS_REAL (BP_MLPERF_FORMAT == MLPERF_REALS)
#define MLPERF_BUFFER_BYTES (MLPERF_IS_REAL ? 4u * (BP_MLPERF_INPUTS) : (BP_MLPERF_INPUTS))

#endif
