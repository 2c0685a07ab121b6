/* A copy of an op's input for packed code: elements as the CPU takes them, with what is outside of
 * the input around it. As all inputs are in it, the output may be written in any order. */
#ifndef BYTEPROP_PREPARED_CANVAS_H
#define BYTEPROP_PREPARED_CANVAS_H

#include <byteprop/kernels.h>
#include <stddef.h>
#include <stdint.h>

#include "isa/packed.h"

typedef struct {
    bp_packed_widen_t *widen;
    uint32_t batch;
    uint32_t x_height;
    uint32_t x_width;
    uint32_t x_channels;
    uint32_t repeats; /* of each channel */
    uint32_t top;     /* rows before the input */
    uint32_t left;    /* pixels before each row of it */
    uint32_t height;
    uint32_t width;
    uint8_t element_bytes;
    uint8_t is_unsigned;
    int8_t outside;
} bp_canvas_t;

/* For windows of this shape; widen, element_bytes, is_unsigned and outside are left to the caller. */
bp_canvas_t bp_canvas_of(const bp_conv_shape_t *shape);
/* Bytes of the canvas; 0 if they are too many. */
uint32_t bp_canvas_bytes(const bp_canvas_t *canvas);
/* From one row to the next. */
static inline uint32_t bp_canvas_pitch(const bp_canvas_t *canvas) {
    return canvas->width * canvas->x_channels * canvas->repeats * canvas->element_bytes;
}
void bp_canvas_paint(uint8_t *to, const int8_t *x, const bp_canvas_t *canvas);

#endif
