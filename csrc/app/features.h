/* What this build of the device program can do, and the sizes that follow from board.toml. */
#ifndef BYTEPROP_APP_FEATURES_H
#define BYTEPROP_APP_FEATURES_H

#include <byteprop/config.h>
#include <byteprop/port.h>

/* A model can be uploaded unless model bytes are read from an address space of their own. */
#if defined(__AVR__) && !BP_ROM_IS_RAM
#define APP_CAN_LOAD 0
#else
#define APP_CAN_LOAD 1
#endif

#ifndef BP_APP_GIVEN
#define BP_APP_GIVEN 0
#endif
#ifndef BP_BAKED_MODEL
#define BP_BAKED_MODEL BP_APP_GIVEN
#endif
#if BP_APP_GIVEN
#define APP_POOL_BYTES bp_app_given.pool_bytes
#else
#define APP_POOL_BYTES BP_POOL_BYTES
#endif
#define APP_HAS_POOL (APP_CAN_LOAD || BP_BAKED_MODEL)

/* The image that is trained has to be in RAM. */
#ifndef BP_APP_TRAIN
#define BP_APP_TRAIN 0
#endif
#define APP_CAN_TRAIN (BP_APP_TRAIN && APP_CAN_LOAD)

/* Features that are kept, and classes that come and go; not where one layer of real values learns. */
#ifndef BP_TRAIN_ONE_LAYER
#define BP_TRAIN_ONE_LAYER 0
#endif
#define APP_CAN_KEEP (APP_CAN_TRAIN && !BP_TRAIN_ONE_LAYER)

/* A detector of anomalies that watches the selected model. */
#ifndef BP_APP_ANOMALY
#define BP_APP_ANOMALY 0
#endif
#define APP_CAN_DETECT (BP_APP_ANOMALY && APP_HAS_POOL)

/* A model that stays in flash while its last layers are trained. */
#define APP_TRAINS_IN_FLASH (APP_CAN_TRAIN && BP_BAKED_MODEL)

/* Models whose input comes row by row. */
#ifndef BP_APP_ROWS
#define BP_APP_ROWS 1
#endif
#define APP_HAS_ROWS (BP_APP_ROWS && APP_HAS_POOL)

#ifndef BP_SAVE_SLOT_BYTES
#define BP_SAVE_SLOT_BYTES 0
#endif
#define APP_CAN_SAVE ((APP_CAN_TRAIN || APP_CAN_DETECT) && APP_CAN_LOAD && BP_SAVE_SLOT_BYTES > 0)

#ifndef BP_APP_TEST_FAULTS
#define BP_APP_TEST_FAULTS 0
#endif

#if defined(__GNUC__) && !defined(__AVR__)
#define APP_ALIGNED_4 __attribute__((aligned(4)))
#else
#define APP_ALIGNED_4
#endif

#endif
