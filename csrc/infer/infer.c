#include <byteprop/config.h>
#include <byteprop/infer.h>
#include <byteprop/model.h>

#include "ops/ops.h"

/* Everything that could go wrong here was checked when the model was opened. */

static void copy(uint8_t *y, const uint8_t *x, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = x[i];
    }
}

void bp_infer_run(const bp_model_t *model, uint8_t *arena, uint16_t n_ops,
                  const bp_infer_hooks_t *hooks) {
    for (uint16_t i = 0; i < n_ops && i < model->n_ops; ++i) {
        bp_infer_op(model, arena, i);
        if (hooks != NULL) {
            hooks->after_op(hooks->context, i);
        }
    }
}

void bp_infer_op(const bp_model_t *model, uint8_t *arena, uint16_t op_index) {
    bp_op_t op;
    bp_model_op(&op, model, op_index);
    if (!bp_op_is_fed(model, &op)) {
        bp_op_run(model, arena, &op);
    }
}

static void fill(uint8_t *y, uint8_t value, uint32_t n) {
    for (; n != 0; --n) {
        *y++ = value;
    }
}

static void copy_rom(uint8_t *y, const uint8_t *x, uint32_t n) {
    for (; n != 0; --n) {
        *y++ = BP_ROM_U8(x++);
    }
}

/* First values come after their state. */
void bp_infer_reset(const bp_model_t *model, uint8_t *arena) {
    for (uint16_t t = 0; BP_HAS_KIND(BP_KIND_STATE) && t < model->n_tensors; ++t) {
        const uint8_t *record = bp_tensor_record(model, t);
        const uint8_t kind = bp_record_kind(record);
        const uint32_t offset = bp_record_offset(record), n = bp_record_elems(record);
        if (kind == BP_KIND_STATE) {
            fill(arena + (size_t)offset, (uint8_t)bp_record_zero_point(record), n);
        } else if (BP_HAS_KIND(BP_KIND_INITIAL) && kind == BP_KIND_INITIAL) {
            const uint16_t state = (uint16_t)BP_ROM_U32(record + BP_TENSOR_STATE);
            copy_rom(arena + (size_t)bp_record_offset(bp_tensor_record(model, state)),
                     model->image + (size_t)offset, n);
        }
    }
}

/* Bytes of n tensors of the io section. */
static uint32_t io_bytes(const bp_model_t *model, uint16_t first, uint16_t n) {
    const uint8_t *index = model->image + (size_t)(model->io_offset + 2 * (uint32_t)first);
    uint32_t bytes = 0;
    for (; n != 0; --n, index += 2) {
        bytes += bp_record_elems(bp_tensor_record(model, BP_ROM_U16(index)));
    }
    return bytes;
}

uint32_t bp_infer_input_bytes(const bp_model_t *model) {
    return io_bytes(model, 0, model->n_inputs);
}

uint32_t bp_infer_output_bytes(const bp_model_t *model) {
    return io_bytes(model, model->n_inputs, model->n_outputs);
}

const uint8_t *bp_infer_put_inputs(uint8_t *arena, const uint8_t *x, const bp_model_t *model) {
    bp_tensor_t tensor;
    if (BP_HAS_ROWS && bp_infer_is_fed(model)) {
        const uint32_t n = bp_infer_input_bytes(model);
        (void)bp_infer_feed(model, arena, 0, x, n);
        return x + (size_t)n;
    }
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        bp_model_tensor(&tensor, model, bp_model_input(model, i));
        copy(arena + (size_t)tensor.offset, x, tensor.elems);
        x += (size_t)tensor.elems;
    }
    return x;
}

uint8_t *bp_infer_get_outputs(uint8_t *y, const uint8_t *arena, const bp_model_t *model) {
    bp_tensor_t tensor;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        bp_model_tensor(&tensor, model, bp_model_output(model, i));
        copy(y, arena + (size_t)tensor.offset, tensor.elems);
        y += (size_t)tensor.elems;
    }
    return y;
}

void bp_infer_batch(uint8_t *y, const uint8_t *x, uint32_t n, const bp_model_t *model,
                    uint8_t *arena) {
    for (; n != 0; --n) {
        x = bp_infer_put_inputs(arena, x, model);
        bp_infer_run(model, arena, model->n_ops, NULL);
        y = bp_infer_get_outputs(y, arena, model);
    }
}
