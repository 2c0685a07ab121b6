#include <byteprop/model.h>

#include "ops/ops.h"
#include "train/state.h"

/* The target is the model's input. It is copied before the ops of the frozen part may overwrite it. */

#define TARGET_LIMIT ((int32_t)1 << 30)

static const uint8_t *input_record(const bp_model_t *model) {
    return bp_tensor_record(model, bp_model_input(model, 0));
}

/* From a step of the input to the unit of targets. */
static bp_real_t to_target(const bp_train_t *t) {
    const bp_train_layer_t *last = bp_train_layer(t, (uint16_t)(t->n_layers - 1));
    const bp_real_t s_in = bp_tensor_scale(t, bp_model_input(&t->model, 0));
    return bp_real_scale(bp_real_div(s_in, bp_tensor_scale(t, last->y_tensor)), 16);
}

bp_status_t bp_train_check_autoencoder(const bp_train_t *t, const bp_model_t *model,
                                       uint16_t n_out) {
    const uint8_t *input = input_record(model);
    if (bp_train_has_classes(t) || model->n_inputs != 1 || bp_record_elems(input) != n_out ||
        bp_record_dtype(input) == BP_DTYPE_INT16) {
        return BP_E_UNSUPPORTED;
    }
    const uint32_t scale = BP_ROM_U32(input + BP_TENSOR_SCALE);
    return bp_is_normal_f32(scale) ? BP_OK : BP_E_PARAM;
}

void bp_train_keep_input(const bp_train_t *t, const uint8_t *x) {
    const uint8_t *input = input_record(&t->model);
    const uint8_t *from = x != NULL ? x : t->arena + (size_t)bp_record_offset(input);
    uint8_t *to = t->memory + (size_t)t->input;
    for (uint32_t i = 0; i < bp_record_elems(input); ++i) {
        to[(size_t)i] = from[(size_t)i];
    }
}

void bp_train_input_errors(const bp_train_t *t, int32_t *delta, uint16_t n_out) {
    const uint8_t *input = input_record(&t->model);
    const uint8_t *kept = t->memory + (size_t)t->input;
    const bp_real_t unit = to_target(t);
    const int is_unsigned = bp_record_dtype(input) == BP_DTYPE_UINT8;
    for (uint16_t j = 0; j < n_out; ++j) {
        const int32_t q = is_unsigned ? kept[j] : (int8_t)kept[j];
        const int32_t target =
            bp_real_apply(q - bp_record_zero_point(input), unit, TARGET_LIMIT);
        delta[j] = bp_saturated((int64_t)delta[j] - target, INT32_MAX);
    }
}
