/* The detector that watches the selected model: what a save or a checkpoint has of it is the memory
 * of bp_anomaly_t. */
#ifndef BYTEPROP_APP_DETECTOR_H
#define BYTEPROP_APP_DETECTOR_H

#include "call.h"
#include "features.h"

#if APP_CAN_DETECT

#include <byteprop/anomaly.h>
#include <stddef.h>

/* Begins; config as in ANOMALY_BEGIN. */
bp_status_t app_detector_open(const uint8_t *config);
/* Forgets it, as the model that it watched goes. */
void app_detector_drop(void);
/* The detector; one that was written is checked first. E_STATE when none has begun. */
bp_status_t app_detector(bp_anomaly_t **detector);

/* Its BP_ANOMALY_BYTES; NULL when none has begun. */
uint8_t *app_detector_bytes(void);
/* They have been written. */
void app_detector_written(void);
/* There is one from now on, whose bytes are written next. */
uint8_t *app_detector_restored(void);

#else
static inline void app_detector_drop(void) {}
#endif

#endif
