/* Makes model images that can be trained, on every machine: powers of two as scales, so that no
 * float is needed; initial weights come from the library's own generator. */
#ifndef BYTEPROP_TRAIN_IMAGE_H
#define BYTEPROP_TRAIN_IMAGE_H

#include <stdint.h>

enum { TRAIN_NET_MAX_LAYERS = 4 };

typedef struct {
    uint16_t dims[TRAIN_NET_MAX_LAYERS + 1];
    uint8_t n_layers;
    uint8_t activation; /* of hidden layers, BP_ACT_x */
    uint8_t softmax;    /* else the last layer's output is compared with targets */
    uint8_t per_channel;
    uint8_t uint8_input; /* begins with an integer QUANTIZE */
    int8_t x_zp;
    int8_t hidden_zp;
} train_net_t;

/* Bytes of the image; it is written when image is not NULL (4-byte aligned). */
uint32_t make_train_image(uint8_t *image, const train_net_t *net);

#endif
