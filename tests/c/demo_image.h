/* A small model image with every op, for tests of the reader and of the op walk:
 *
 *   uint8 [1,2,3] -RESCALE-> int8 [1,2,3] -RESHAPE-> [1,6] -DENSE-> [1,5] -DENSE-> [1,3] -SOFTMAX->
 *
 * The first dense layer is per tensor with padded rows and a ReLU, the second per channel. All but
 * the dense layers work in place; the arena is 13 bytes. */
#ifndef BYTEPROP_DEMO_IMAGE_H
#define BYTEPROP_DEMO_IMAGE_H

#include <stdint.h>

enum {
    DEMO_TENSORS = 80,
    DEMO_OPS = DEMO_TENSORS + 6 * 40, /* offsets of the records, then the records */
    DEMO_RESCALE = DEMO_OPS + 5 * 4,
    DEMO_RESHAPE = DEMO_RESCALE + 8 + 4 * 4,
    DEMO_DENSE1 = DEMO_RESHAPE + 8,
    DEMO_DENSE2 = DEMO_DENSE1 + 8 + 7 * 4,
    DEMO_SOFTMAX = DEMO_DENSE2 + 8 + 7 * 4,
    DEMO_IO = DEMO_SOFTMAX + 8 + 2 * 4,
    DEMO_DATA = DEMO_IO + 4,
    DEMO_W1 = DEMO_DATA,
    DEMO_B1 = DEMO_W1 + 5 * 8,
    DEMO_M1 = DEMO_B1 + 5 * 4,
    DEMO_S1 = DEMO_M1 + 4,
    DEMO_WS1 = DEMO_S1 + 4,
    DEMO_W2 = DEMO_WS1 + 8,
    DEMO_B2 = DEMO_W2 + 3 * 8,
    DEMO_M2 = DEMO_B2 + 3 * 4,
    DEMO_S2 = DEMO_M2 + 3 * 4,
    DEMO_WS2 = DEMO_S2 + 4,
    DEMO_EXP = DEMO_WS2 + 3 * 4,
    DEMO_NAMES = DEMO_EXP + 4 * 256,
    DEMO_BYTES = DEMO_NAMES + 4,
    DEMO_ARENA = 13,
    DEMO_INPUT = 6,
    DEMO_OUTPUT = 3
};

/* Little-endian stores. */
void put_u16(uint8_t *p, uint32_t value);
void put_u32(uint8_t *p, uint32_t value);
uint32_t get_u32(const uint8_t *p);
/* Writes the checksum of the image's total_bytes into its header. */
void seal(uint8_t *image);
/* Fills image[DEMO_BYTES]; image must be 4-byte aligned. */
void make_demo_image(uint8_t *image);

#endif
