#include "pool.h"

#include <byteprop/link.h>

#define NEXT_ALIGNED(n) (((n) + BP_POOL_ALIGNMENT - 1u) & ~(uint32_t)(BP_POOL_ALIGNMENT - 1))

/* Images need 4, kernels like 16; AVR reads bytes, and an image in flash is elsewhere. */
#if defined(__GNUC__) && !defined(__AVR__)
#define ALIGNED __attribute__((aligned(16)))
#elif defined(__GNUC__) && APP_CAN_LOAD
#define ALIGNED __attribute__((aligned(4)))
#else
#define ALIGNED
#endif

#if BP_APP_GIVEN
bp_app_given_t bp_app_given;
#define POOL bp_app_given.pool
#define FLASH_IMAGE bp_app_given.image
#define FLASH_IMAGE_BYTES bp_app_given.image_bytes
#define HAS_FLASH_IMAGE (bp_app_given.image != NULL)
#else
#if APP_HAS_POOL
static ALIGNED uint8_t bp_app_pool[BP_POOL_BYTES > 0 ? BP_POOL_BYTES : 1];
#endif
#define POOL bp_app_pool
#define FLASH_IMAGE bp_model_image
#define FLASH_IMAGE_BYTES bp_model_image_bytes
#define HAS_FLASH_IMAGE 1
#endif
#if APP_HAS_POOL
static bp_model_t model;
#endif
static const bp_model_t *selected; /* &model or NULL */
#if APP_CAN_DETECT
static uint32_t used; /* bytes of the pool up to the last that arena or training takes */
#define USED_UP_TO(n) (used = (n))
#else
#define USED_UP_TO(n) ((void)0)
#endif
struct app_selected app_selected;

const bp_model_t *app_model(void) {
    return selected;
}

#if APP_HAS_POOL
static bp_status_t no_space(app_call_t *call, uint32_t needed) {
    return app_no_space(call, needed, APP_POOL_BYTES);
}

/* Opens an image and puts the arena at an offset of the pool. */
static bp_status_t open_model(app_call_t *call, const uint8_t *image, uint32_t n,
                              uint32_t arena_at) {
    selected = NULL;
    BP_TRY(bp_model_open(&model, image, n));
    if (arena_at > APP_POOL_BYTES || model.arena_bytes > APP_POOL_BYTES - arena_at) {
        return no_space(call, arena_at + model.arena_bytes);
    }
    app_selected.arena = POOL + arena_at;
    USED_UP_TO(arena_at + model.arena_bytes);
    bp_infer_reset(&model, app_selected.arena);
    app_selected.input_bytes = bp_infer_input_bytes(&model);
    app_selected.output_bytes = bp_infer_output_bytes(&model);
#if APP_HAS_ROWS
    app_selected.is_fed = (uint8_t)bp_infer_is_fed(&model);
    app_selected.fed = 0;
#endif
    selected = &model;
    const uint32_t answer[] = {model.crc32, model.arena_bytes, app_selected.input_bytes,
                               app_selected.output_bytes};
    app_put_u32s(call->payload, answer, sizeof answer / sizeof *answer);
    app_put_u16(call->payload + sizeof answer, model.n_ops);
    call->n_answer = 18;
    return BP_OK;
}
#endif

#if APP_CAN_LOAD
static struct {
    uint32_t bytes; /* of the whole image; 0: none begun */
    uint32_t crc;
    uint32_t next; /* offset up to which it has arrived */
} load;

static void answer_next(app_call_t *call) {
    app_put_u32(call->payload, load.next);
    call->n_answer = 4;
}

bp_status_t app_load_image(app_call_t *call, uint32_t bytes, uint32_t crc) {
    if (bytes > APP_POOL_BYTES) {
        return no_space(call, bytes);
    }
    if (load.bytes != bytes || load.crc != crc) {
        selected = NULL;
        load.bytes = bytes;
        load.crc = crc;
        load.next = 0;
    }
    answer_next(call);
    return BP_OK;
}

/* Bytes that have arrived before are not written again: a model may be running from them. */
static bp_status_t take_bytes(uint32_t offset, const uint8_t *data, uint32_t n) {
    if (load.bytes == 0) {
        return BP_E_STATE;
    }
    if (offset > load.next || n > load.bytes - offset) {
        return BP_E_RANGE;
    }
    const uint32_t known = load.next - offset;
    if (n > known) {
        app_copy(POOL + load.next, data + known, n - known);
        load.next += n - known;
    }
    return BP_OK;
}

bp_status_t app_load_bytes(app_call_t *call, uint32_t offset, const uint8_t *data, uint32_t n) {
    const bp_status_t status = take_bytes(offset, data, n);
    answer_next(call);
    return status;
}

bp_status_t app_open_ram(app_call_t *call) {
    if (load.bytes == 0) {
        return BP_E_NO_MODEL;
    }
    if (load.next != load.bytes) {
        return BP_E_STATE;
    }
    const bp_status_t status = open_model(call, POOL, load.bytes, NEXT_ALIGNED(load.bytes));
    if (status == BP_OK && model.crc32 != load.crc) {
        selected = NULL;
        call->n_answer = 0;
        load.bytes = 0;
        return BP_E_CRC;
    }
    if (status != BP_OK && status != BP_E_SPACE) {
        load.bytes = 0; /* nothing that could be continued */
    }
    return status;
}

static void forget_load(void) {
    load.bytes = 0;
}
#else
static void forget_load(void) {}
#endif

#if APP_CAN_DETECT
bp_status_t app_hold_bytes(app_call_t *call, uint32_t n, uint8_t **bytes) {
    if (n > APP_POOL_BYTES - used) {
        return no_space(call, used + n);
    }
    *bytes = POOL + used;
    return BP_OK;
}
#endif

#if APP_CAN_TRAIN || APP_CAN_SAVE
uint8_t *app_ram_image(void) {
    return POOL;
}

int app_is_in_flash(void) {
    return model.image != POOL;
}

bp_status_t app_open_restored(app_call_t *call, uint32_t n) {
    load.bytes = n;
    load.next = n;
    load.crc = app_get_u32(POOL + BP_HEADER_CRC32);
    const bp_status_t status = app_open_ram(call);
    call->n_answer = status == BP_E_SPACE ? call->n_answer : 0;
    return status;
}
#endif

#if APP_CAN_TRAIN
uint8_t *app_selected_image(void) {
    return (uint8_t *)(uintptr_t)model.image;
}

void app_image_sealed(uint32_t crc) {
    model.crc32 = crc;
    if (!app_is_in_flash()) {
        load.crc = crc;
    }
}

static bp_status_t copy_image(app_call_t *call) {
    const uint32_t n = model.image_bytes;
    for (uint32_t i = 0; i < n; i++) {
        POOL[i] = BP_ROM_U8(model.image + i);
    }
    return app_open_restored(call, n);
}

bp_status_t app_hold_image(app_call_t *call, uint32_t n, uint8_t **memory, uint8_t stays) {
    const uint32_t arena_at = !stays ? NEXT_ALIGNED(model.image_bytes) : 0;
    const uint32_t memory_at = arena_at + ((model.arena_bytes + 3u) & ~(uint32_t)3u);
    if (memory_at > APP_POOL_BYTES || n > APP_POOL_BYTES - memory_at) {
        return no_space(call, memory_at + n);
    }
    *memory = POOL + memory_at;
    if (app_is_in_flash() && !stays) {
        BP_TRY(copy_image(call));
    }
    USED_UP_TO(memory_at + n);
    return BP_OK;
}
#endif

#if BP_BAKED_MODEL
bp_status_t app_open_flash(app_call_t *call) {
    if (!HAS_FLASH_IMAGE) {
        return BP_E_NO_MODEL;
    }
    forget_load();
    return open_model(call, FLASH_IMAGE, FLASH_IMAGE_BYTES, 0);
}

uint32_t app_flash_model_crc(void) {
    return HAS_FLASH_IMAGE ? BP_ROM_U32(FLASH_IMAGE + BP_HEADER_CRC32) : 0;
}
#else
bp_status_t app_open_flash(app_call_t *call) {
    (void)call;
    (void)forget_load;
    return BP_E_NO_MODEL;
}

uint32_t app_flash_model_crc(void) {
    return 0;
}
#endif
