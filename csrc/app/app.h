/* Inside of the device program: what its files share. All memory is static. */
#ifndef BYTEPROP_APP_H
#define BYTEPROP_APP_H

#include <byteprop/config.h>
#include <byteprop/crc32.h>
#include <byteprop/infer.h>
#include <byteprop/link.h>
#include <byteprop/model.h>
#include <byteprop/port.h>
#include <byteprop/status.h>
#include <stddef.h>
#include <stdint.h>

/* A model can be uploaded unless model bytes are read from an address space of their own. */
#if defined(__AVR__) && !BP_ROM_IS_RAM
#define APP_CAN_LOAD 0
#else
#define APP_CAN_LOAD 1
#endif

#ifndef BP_APP_TRAIN
#define BP_APP_TRAIN 0
#endif
/* The image that is trained has to lie in RAM. */
#define APP_CAN_TRAIN (BP_APP_TRAIN && APP_CAN_LOAD)

#ifndef BP_BAKED_MODEL
#define BP_BAKED_MODEL 0
#endif
#ifndef BP_APP_TEST_FAULTS
#define BP_APP_TEST_FAULTS 0
#endif

#if defined(__GNUC__) && !defined(__AVR__)
#define APP_ALIGNED_4 __attribute__((aligned(4)))
#else
#define APP_ALIGNED_4
#endif

/* A request being executed. Its answer is built where the request's payload lies, so a handler
 * reads its arguments before it writes. The status travels in front of payload[0]. */
typedef struct {
    uint8_t *payload;
    uint16_t n;        /* bytes of the request's payload */
    uint16_t n_answer; /* bytes of the answer's data; 0 on entry */
} app_call_t;

/* Most data bytes of an answer: of one that is sent again from its slot, and of any. */
#define APP_KEPT_BYTES (BP_LINK_SLOT_BYTES - 1u)
#define APP_ANSWER_BYTES (BP_LINK_MAX_PAYLOAD - 1u)

/* app.c */
void app_send(uint8_t type, uint8_t aux, uint16_t seq, uint16_t ack, const uint8_t *payload,
              uint16_t n);
const bp_receiver_t *app_receiver(void);
/* Sends a FAULT frame and resets the board when the stack has left its bounds. */
void app_check_stack(void);

/* session.c */
void app_session_frame(const bp_frame_t *frame, uint8_t *payload);
/* The next sequence number that will be executed. */
uint16_t app_session_expected(void);
uint32_t app_session_repeated(void);

/* request.c: executes a request; returns its status. */
uint8_t app_request(uint8_t type, app_call_t *call);
/* Whether a request of this type leaves everything as it was, so that it may be executed again. */
int app_request_is_pure(uint8_t type);

/* load.c */
uint8_t app_load_begin(app_call_t *call);
uint8_t app_load_data(app_call_t *call);
uint8_t app_load_end(app_call_t *call);
uint8_t app_select(app_call_t *call);
/* The selected model, or NULL; the pool's part behind the image. */
const bp_model_t *app_model(void);
uint8_t *app_arena(void);
uint32_t app_flash_model_crc(void);
uint8_t app_no_space(app_call_t *call, uint32_t needed, uint32_t available);
/* The pool's front, where an image in RAM lies. */
uint8_t *app_ram_image(void);
/* Makes room for training: the selected image at the pool's front (copied from flash if it is not
 * there), the arena behind it, then *memory of n bytes. E_SPACE tells what is needed. */
uint8_t app_hold_image(app_call_t *call, uint32_t n, uint8_t **memory);
/* The image in RAM has a new checksum. */
void app_image_sealed(void);
/* An image of n bytes was put to the pool's front. */
uint8_t app_image_restored(app_call_t *call, uint32_t n);

/* tensor.c */
uint8_t app_write(app_call_t *call);
uint8_t app_read(app_call_t *call);
uint8_t app_digest(app_call_t *call);
/* Copies the first n bytes of the outputs; their digest. */
void app_outputs_copy(uint8_t *dst, uint32_t n);
uint32_t app_outputs_crc(void);

/* infer.c */
uint8_t app_infer(app_call_t *call);
uint8_t app_profile(app_call_t *call);

/* train.c */
uint8_t app_train_begin(app_call_t *call);
uint8_t app_train(app_call_t *call);
uint8_t app_evaluate(app_call_t *call);
uint8_t app_train_end(app_call_t *call);
/* Begins training of the selected model; answers as TRAIN_BEGIN. */
uint8_t app_train_open(app_call_t *call, const uint8_t *config_bytes);
/* The present configuration, as TRAIN_BEGIN takes it. */
void app_train_config(uint8_t *to);
/* Gives up training, if there is any; the image stays as it is by then. */
void app_train_drop(void);
/* Renews the checksum of the image in training. */
void app_train_seal(void);
/* The state's n bytes; NULL when nothing is trained. */
uint8_t *app_train_state(uint32_t *n);
void app_train_state_written(void);

/* save.c */
uint8_t app_save(app_call_t *call);
uint8_t app_restore(app_call_t *call);
uint8_t app_saved(app_call_t *call);

/* misc.c */
uint8_t app_echo(app_call_t *call);
uint8_t app_stats(app_call_t *call);
uint8_t app_reset(app_call_t *call);
uint8_t app_test_fault(app_call_t *call);
/* Resets the board when RESET was executed and answered. */
void app_reset_if_wanted(void);

static inline uint16_t app_get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | (uint16_t)((uint16_t)p[1] << 8));
}

static inline uint32_t app_get_u32(const uint8_t *p) {
    return (uint32_t)app_get_u16(p) | (uint32_t)app_get_u16(p + 2) << 16;
}

static inline void app_put_u16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

/* Out of line: used often. */
void app_put_u32(uint8_t *p, uint32_t value);
void app_copy(uint8_t *dst, const uint8_t *src, uint32_t n);

#endif
