/* Windows in the records of ops: pooling and convolutions. */
#ifndef BYTEPROP_OPS_WINDOW_H
#define BYTEPROP_OPS_WINDOW_H

#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* Words of a window in a record: kernel, stride, dilation and padding in front, each u16 for the
 * height and u16 for the width. */
enum { BP_WINDOW_WORDS = 4 };
/* Axes of tensors that windows move over: batch, height, width, channels. */
enum { BP_AXIS_BATCH, BP_AXIS_HEIGHT, BP_AXIS_WIDTH, BP_AXIS_CHANNELS, BP_IMAGE_RANK };

/* Height and width from the words of a record. */
void bp_window_record(bp_window_t window[2], const uint8_t *words);
/* x and y have rank 4 and the same batch, every window of y begins before the end of x and ends
 * after its begin, and bp_window_taps does not overflow. With dilation 1, every window then has a
 * tap inside. */
bp_status_t bp_check_window(const bp_window_t window[2], const uint8_t *x, const uint8_t *y);

#endif
