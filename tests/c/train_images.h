/* Networks of images to train, written by tests/isa/train_images_nets.py. */
#ifndef TRAIN_IMAGES_H
#define TRAIN_IMAGES_H

#include <byteprop/train.h>
#include <stdint.h>

typedef struct {
    const char *name;
    const uint8_t *image; /* 4-byte aligned */
    uint32_t image_bytes;
    bp_train_config_t config;
    const uint8_t *x; /* [samples][input bytes] */
    const uint16_t *labels;
    const uint32_t *rates;
    uint32_t samples;
} train_images_t;

extern const train_images_t train_images[];
extern const uint8_t train_images_n;

/* The CRC of results, image and state after all samples; with `resume` it stops
 * half way and goes on from a copied state. space: 4-byte aligned. Returns a bp_status_t. */
int train_images_run(uint32_t *crc, const train_images_t *net, uint8_t *space, uint32_t bytes,
                     int resume);

#endif
