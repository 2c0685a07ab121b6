/* Trains small networks with every option and boils all bits down to one number a network. */
#ifndef BYTEPROP_TRAIN_DIGEST_H
#define BYTEPROP_TRAIN_DIGEST_H

#include <stdint.h>

/* 0 leaves out what keeps features: QEMU's AVR does not run programs of more than 64 KB. */
#ifndef DIGEST_KEPT
#define DIGEST_KEPT 1
#endif

typedef struct {
    const char *name;
    uint32_t digest; /* of image, state and results */
    uint32_t steps;  /* updates done */
    uint32_t samples;
} train_digest_t;

/* Memory for one network and its training; 4-byte aligned. */
typedef struct {
    uint8_t *bytes;
    uint32_t n;
} train_space_t;

/* Network `index` into digest; returns a status, or -1 when there is no such network. E_SPACE: it
 * does not fit. resume: stops after half the samples and goes on from a copied state, which gives
 * the same digest. */
int train_digest(train_digest_t *digest, uint8_t index, train_space_t space, int resume);

#endif
