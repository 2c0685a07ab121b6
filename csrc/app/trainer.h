/* The trainer of the selected model. Its image, the arena and the memory of training share the
 * pool: a sample's inputs are in the arena, where the frozen part of the model runs, and INFER works
 * between samples, because the image is a valid model after every update. */
#ifndef BYTEPROP_APP_TRAINER_H
#define BYTEPROP_APP_TRAINER_H

#include <stddef.h>

#include "call.h"
#include "features.h"

#if APP_CAN_TRAIN

#include <byteprop/train.h>

/* Begins training of the selected model; answers as TRAIN_BEGIN. config: as in TRAIN_BEGIN. */
bp_status_t app_train_open(app_call_t *call, const uint8_t *config);
/* The present configuration, as TRAIN_BEGIN takes it. */
void app_train_config(uint8_t *to);
/* Stops training, if there is any; the image stays as it is by then. */
void app_train_drop(void);
/* Renews the checksum of the image in training. */
void app_train_seal(void);
/* Does the update of a batch that is not full, and seals. */
bp_status_t app_train_finish(void);

/* The trainer, ready for a sample: a state that was written has been taken over. E_STATE when
 * nothing is trained, or, for learning, when training has ended. */
bp_status_t app_trainer(bp_train_t **trainer, int learns);

/* The trainer whose model's image is in flash, so that what was trained is not in it; else NULL. */
#if APP_TRAINS_IN_FLASH
const bp_train_t *app_train_in_flash(void);
#else
static inline const bp_train_t *app_train_in_flash(void) {
    return NULL;
}
#endif

/* The state's n bytes; NULL when nothing is trained. */
uint8_t *app_train_state(uint32_t *n);
/* They have been written. */
void app_train_state_written(void);

#else
static inline void app_train_drop(void) {}
static inline void app_train_seal(void) {}
static inline void app_train_state_written(void) {}
static inline uint8_t *app_train_state(uint32_t *n) {
    *n = 0;
    return NULL;
}
#endif

#endif
