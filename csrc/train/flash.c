#include <byteprop/crc32.h>

#include "ops/ops.h"
#include "train/state.h"

/* Training of an image that stays in flash. Of the layers that are trained, weights and biases are
 * copied to the end of the state; all else is read where it is. The image as trained, which nothing
 * holds, is flash with the copies over it. */

enum { WEIGHTS, BIASES, COPIED_PARTS, CHUNK = 64 };

/* A part of a layer, in the image and in memory. */
typedef struct {
    uint32_t offset;
    uint8_t *copy;
    uint32_t bytes;
} part_t;

static part_t part_of(const bp_train_t *t, const bp_train_layer_t *layer, uint8_t part) {
    bp_op_t op;
    bp_model_op(&op, &t->model, layer->op);
    const part_t found = {
        bp_image_part(&op, part),
        t->memory + (size_t)(part == WEIGHTS ? layer->weights : layer->bias),
        part == WEIGHTS ? bp_train_weight_count(layer) : 4u * layer->n_out,
    };
    return found;
}

static void copy(uint8_t *dst, const uint8_t *src, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        dst[i] = src[i];
    }
}

void bp_train_copy_layers(const bp_train_t *t) {
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        for (uint8_t i = 0; layer->copied && i < COPIED_PARTS; ++i) {
            const part_t part = part_of(t, layer, i);
            copy(part.copy, t->model.image + (size_t)part.offset, part.bytes);
        }
    }
}

bp_status_t bp_train_check_copy(const bp_train_t *t, const bp_train_layer_t *layer) {
    const int8_t *row = bp_train_weights(t, layer);
    for (uint16_t j = 0; j < layer->n_out; ++j, row += layer->row_stride) {
        for (uint16_t i = layer->n_in; i < layer->row_stride; ++i) {
            if (row[i] != 0) {
                return BP_E_ARG;
            }
        }
    }
    return BP_OK;
}

/* ---- the image as trained ---- */

typedef struct {
    uint8_t *dst;
    uint32_t offset;
    uint32_t n;
} window_t;

/* What of n bytes at an offset is in the window replaces what is there. */
static void lay_over(const window_t *window, uint32_t offset, const uint8_t *bytes, uint32_t n) {
    const uint32_t end = window->offset + window->n;
    const uint32_t from = offset > window->offset ? offset : window->offset;
    const uint32_t to = offset + n < end ? offset + n : end;
    if (from < to) {
        copy(window->dst + (size_t)(from - window->offset), bytes + (size_t)(from - offset),
             to - from);
    }
}

static void lay_layer_over(const window_t *window, const bp_train_t *t,
                           const bp_train_layer_t *layer) {
    const uint32_t flags_at = bp_image_flags_offset(&t->model, layer->op);
    const uint8_t flags = bp_image_trained_flags(t->model.image[(size_t)flags_at], layer);
    lay_over(window, flags_at, &flags, 1);
    for (uint8_t i = 0; i < COPIED_PARTS; ++i) {
        const part_t part = part_of(t, layer, i);
        lay_over(window, part.offset, part.copy, part.bytes);
    }
}

void bp_train_read_image(uint8_t *dst, const bp_train_t *t, uint32_t offset, uint32_t n) {
    const window_t window = {dst, offset, n};
    uint8_t crc[4];
    copy(dst, t->model.image + (size_t)offset, n);
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        if (bp_train_layer(t, l)->copied) {
            lay_layer_over(&window, t, bp_train_layer(t, l));
        }
    }
    bp_image_put_u32(crc, 0, t->model.crc32);
    lay_over(&window, BP_HEADER_CRC32, crc, sizeof crc);
}

void bp_train_seal_flash(bp_train_t *t) {
    uint8_t bytes[CHUNK];
    uint32_t crc = 0, n;
    for (uint32_t at = BP_MODEL_CRC_FROM; at < t->model.image_bytes; at += n) {
        n = t->model.image_bytes - at < CHUNK ? t->model.image_bytes - at : CHUNK;
        bp_train_read_image(bytes, t, at, n);
        crc = bp_crc32(crc, bytes, n);
    }
    t->model.crc32 = crc;
}

/* ---- inference ---- */

static const bp_train_layer_t *copied_layer(const bp_train_t *t, uint16_t op_index) {
    for (uint16_t l = 0; l < t->n_layers; ++l) {
        const bp_train_layer_t *layer = bp_train_layer(t, l);
        if (layer->op == op_index && layer->copied) {
            return layer;
        }
    }
    return NULL;
}

static int8_t *in_arena(const bp_train_t *t, uint16_t tensor) {
    return (int8_t *)t->arena + (size_t)bp_record_offset(bp_tensor_record(&t->model, tensor));
}

/* A convolution's last operand. */
static int8_t *scratch_of(const bp_train_t *t, uint16_t op_index) {
    bp_op_t op;
    bp_model_op(&op, &t->model, op_index);
    return in_arena(t, bp_op_output(&op, (uint8_t)(op.n_outputs - 1)));
}

void bp_train_infer(const bp_train_t *t, uint16_t n_ops, const bp_infer_hooks_t *hooks) {
    for (uint16_t i = 0; i < n_ops && i < t->model.n_ops; ++i) {
        const bp_train_layer_t *layer = copied_layer(t, i);
        if (layer == NULL) {
            bp_infer_op(&t->model, t->arena, i);
        } else {
            bp_train_run_layer(t, layer, in_arena(t, layer->y_tensor),
                               in_arena(t, layer->x_tensor), scratch_of(t, i));
        }
        if (hooks != NULL) {
            hooks->after_op(hooks->context, i);
        }
    }
}
