#include "objects.h"

#include <byteprop/crc32.h>
#include <byteprop/link.h>

#include "detector.h"
#include "pool.h"
#include "trainer.h"

static uint16_t tensor_of(const app_range_t *range, uint16_t i) {
    switch (range->object) {
    case BP_OBJ_INPUTS:
        return bp_model_input(app_model(), i);
    case BP_OBJ_OUTPUTS:
        return bp_model_output(app_model(), i);
    default:
        return range->index;
    }
}

/* Bytes of the arena from the offset of a checked range on: up to the end of the tensor in which it
 * is, at most the range's n. */
static uint8_t *tensor_bytes(const app_range_t *range, uint32_t *n) {
    uint32_t offset = range->offset;
    for (uint16_t i = 0;; i++) {
        const uint8_t *record = bp_tensor_record(app_model(), tensor_of(range, i));
        const uint32_t elems = BP_ROM_U32(record + BP_TENSOR_ELEMS);
        if (offset < elems) {
            *n = elems - offset < range->n ? elems - offset : range->n;
            return app_selected.arena + BP_ROM_U32(record + BP_TENSOR_OFFSET) + offset;
        }
        offset -= elems;
    }
}

/* As many bytes of a checked range that is not empty as are contiguous. */
static uint8_t *contiguous_bytes(const app_range_t *range, uint32_t *n) {
#if APP_CAN_TRAIN
    if (range->object == BP_OBJ_TRAIN_STATE) {
        uint8_t *state = app_train_state(n);
        *n = range->n;
        return state + range->offset;
    }
#endif
#if APP_CAN_DETECT
    if (range->object == BP_OBJ_DETECTOR) {
        *n = range->n;
        return app_detector_bytes() + range->offset;
    }
#endif
    return tensor_bytes(range, n);
}

/* Constants and first values are not in the arena, and images that come row by row not as a whole, so
 * they are no objects. */
static bp_status_t check_tensor(uint16_t index, uint32_t *n) {
    if (index >= app_model()->n_tensors) {
        return BP_E_RANGE;
    }
    const uint8_t *record = bp_tensor_record(app_model(), index);
    const uint8_t kind = BP_ROM_U8(record + BP_TENSOR_KIND);
    *n = BP_ROM_U32(record + BP_TENSOR_ELEMS);
    if (APP_HAS_ROWS && kind == BP_KIND_ROWS) {
        return BP_E_KIND;
    }
    return kind == BP_KIND_CONSTANT || kind == BP_KIND_INITIAL ? BP_E_KIND : BP_OK;
}

bp_status_t app_check_range(const app_range_t *range) {
    const bp_model_t *model = app_model();
    uint32_t total = 0;
    if (model == NULL) {
        return BP_E_NO_MODEL;
    }
    if (range->object != BP_OBJ_TENSOR && range->index != 0) {
        return BP_E_RANGE;
    }
    switch (range->object) {
    case BP_OBJ_INPUTS:
#if APP_HAS_ROWS
        if (app_selected.is_fed) {
            return BP_E_KIND;
        }
#endif
        total = app_selected.input_bytes;
        break;
    case BP_OBJ_OUTPUTS:
        total = app_selected.output_bytes;
        break;
    case BP_OBJ_TENSOR:
        BP_TRY(check_tensor(range->index, &total));
        break;
    case BP_OBJ_IMAGE:
        total = model->image_bytes;
        break;
#if APP_CAN_TRAIN
    case BP_OBJ_TRAIN_STATE:
        if (app_train_state(&total) == NULL) {
            return BP_E_STATE;
        }
        break;
#endif
#if APP_CAN_DETECT
    case BP_OBJ_DETECTOR:
        if (app_detector_bytes() == NULL) {
            return BP_E_STATE;
        }
        total = BP_ANOMALY_BYTES;
        break;
#endif
    default:
        return BP_E_UNKNOWN;
    }
    return range->offset > total || range->n > total - range->offset ? BP_E_RANGE : BP_OK;
}

static void advance(app_range_t *range, uint32_t n) {
    range->offset += n;
    range->n -= n;
}

static void copy_image(uint8_t *dst, uint32_t offset, uint32_t n) {
#if APP_CAN_TRAIN
    if (app_train_in_flash() != NULL) {
        bp_train_read_image(dst, app_train_in_flash(), offset, n);
        return;
    }
#endif
    const uint8_t *src = app_model()->image + offset;
    for (uint32_t i = 0; i < n; i++) {
        dst[i] = BP_ROM_U8(src + i);
    }
}

#if APP_CAN_TRAIN
enum { CRC_CHUNK = 64 };

/* Nothing holds the image as trained, so it is read piece by piece. */
static uint32_t crc_of_trained(uint32_t offset, uint32_t n) {
    uint8_t bytes[CRC_CHUNK];
    uint32_t crc = 0, k;
    for (; n != 0; offset += k, n -= k) {
        k = n < CRC_CHUNK ? n : CRC_CHUNK;
        copy_image(bytes, offset, k);
        crc = bp_crc32(crc, bytes, k);
    }
    return crc;
}
#endif

static uint32_t crc_of_image(uint32_t offset, uint32_t n) {
#if APP_CAN_TRAIN
    if (app_train_in_flash() != NULL) {
        return crc_of_trained(offset, n);
    }
#endif
    return bp_crc32_rom(0, app_model()->image + offset, n);
}

void app_copy_out(uint8_t *dst, app_range_t *range) {
    if (range->object == BP_OBJ_IMAGE) {
        copy_image(dst, range->offset, range->n);
        return;
    }
    while (range->n != 0) {
        uint32_t n;
        const uint8_t *src = contiguous_bytes(range, &n);
        app_copy(dst, src, n);
        dst += n;
        advance(range, n);
    }
}

uint32_t app_crc_of(app_range_t *range) {
    uint32_t crc = 0;
    if (range->object == BP_OBJ_IMAGE) {
        return crc_of_image(range->offset, range->n);
    }
    while (range->n != 0) {
        uint32_t n;
        const uint8_t *src = contiguous_bytes(range, &n);
        crc = bp_crc32(crc, src, n);
        advance(range, n);
    }
    return crc;
}

void app_copy_in(app_range_t *range, const uint8_t *src) {
#if APP_CAN_TRAIN
    if (range->object == BP_OBJ_TRAIN_STATE) {
        app_train_state_written();
    }
#endif
#if APP_CAN_DETECT
    if (range->object == BP_OBJ_DETECTOR) {
        app_detector_written();
    }
#endif
    while (range->n != 0) {
        uint32_t n;
        uint8_t *dst = contiguous_bytes(range, &n);
        app_copy(dst, src, n);
        src += n;
        advance(range, n);
    }
}

void app_outputs_copy(uint8_t *dst, uint32_t n) {
    app_range_t range = {BP_OBJ_OUTPUTS, 0, 0, n};
    app_copy_out(dst, &range);
}

uint32_t app_outputs_crc(void) {
    app_range_t range = {BP_OBJ_OUTPUTS, 0, 0, app_selected.output_bytes};
    return app_crc_of(&range);
}
