/* Any bytes as a model image: the reader must refuse them with a status or accept an image on which
 * every record can be read and inference stays inside image and arena. Image and arena are
 * allocated to the byte, so that the sanitizers see the first step outside. */
#include <byteprop/infer.h>
#include <byteprop/model.h>
#include <byteprop/status.h>
#include <string.h>

#include "fuzz_common.h"

/* More would only make the fuzzer slow; the reader's own limits are the same above it. */
#define MAX_ARENA_BYTES (1u << 20)

static void read_records(const bp_model_t *model) {
    bp_tensor_t tensor;
    bp_op_t op;
    for (uint16_t i = 0; i < model->n_tensors; ++i) {
        bp_model_tensor(&tensor, model, i);
        const int is_data = tensor.kind == BP_KIND_CONSTANT || tensor.kind == BP_KIND_INITIAL;
        const uint32_t end = is_data ? model->image_bytes : model->arena_bytes;
        check(tensor.offset <= end);
        const uint32_t rows = tensor.flags / BP_TENSOR_ROWS;
        const uint32_t bytes =
            tensor.kind == BP_KIND_ROWS ? rows * tensor.dims[2] * tensor.dims[3] : tensor.elems;
        check(bytes <= end - tensor.offset);
    }
    for (uint16_t i = 0; i < model->n_ops; ++i) {
        bp_model_op(&op, model, i);
        for (uint8_t k = 0; k < op.n_inputs; ++k) {
            check(bp_op_input(&op, k) < model->n_tensors);
        }
        for (uint8_t k = 0; k < op.n_outputs; ++k) {
            check(bp_op_output(&op, k) < model->n_tensors);
        }
    }
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        check(bp_model_input(model, i) < model->n_tensors);
    }
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        check(bp_model_output(model, i) < model->n_tensors);
    }
}

/* Two samples, so that what the first leaves in the arena meets the second. */
static void infer(const bp_model_t *model) {
    const uint32_t n = 2;
    const uint32_t x_bytes = bp_infer_input_bytes(model);
    const uint32_t y_bytes = bp_infer_output_bytes(model);
    if (model->arena_bytes > MAX_ARENA_BYTES || x_bytes > MAX_ARENA_BYTES ||
        y_bytes > MAX_ARENA_BYTES) {
        return;
    }
    uint8_t *arena = malloc(model->arena_bytes);
    uint8_t *x = malloc((size_t)n * x_bytes);
    uint8_t *y = malloc((size_t)n * y_bytes);
    for (uint32_t i = 0; i < n * x_bytes; ++i) {
        x[i] = (uint8_t)(i * 167u);
    }
    bp_infer_reset(model, arena);
    bp_infer_batch(y, x, n, model, arena);
    free(y);
    free(x);
    free(arena);
}

static void open_and_run(const uint8_t *data, size_t size) {
    bp_model_t model;
    /* malloc aligns to 16 bytes and the sanitizer poisons what follows the last byte. */
    uint8_t *image = malloc(size);
    if (size != 0) {
        memcpy(image, data, size);
    }
    const int status = bp_model_open(&model, image, (uint32_t)size);
    check(status >= 0 && status < bp_status_count());
    if (status == BP_OK) {
        read_records(&model);
        infer(&model);
    } else {
        check(model.image == NULL && model.n_tensors == 0 && model.arena_bytes == 0);
    }
    free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_and_run(data, size);
    if (size < BP_MODEL_HEADER_BYTES) {
        return 0;
    }
    /* The same with length and checksum put right, or no mutation would ever pass them. */
    uint8_t *valid = malloc(size);
    memcpy(valid, data, size);
    seal_image(valid, size);
    open_and_run(valid, size);
    free(valid);
    return 0;
}
