#include <byteprop/anomaly.h>
#include <stddef.h>

#include "ops/ops.h"
#include "train/real.h"

/* The score of an autoencoder's answer: the sum of squared differences to its input, in steps of
 * 2^-8 of the output's scale. */

#define INPUT_LIMIT ((int32_t)1 << 30)
#define SUM_LIMIT (((uint64_t)1 << 54) - 1)

typedef struct {
    const uint8_t *bytes;
    int16_t zero_point;
    uint8_t is_unsigned;
} values_t;

static values_t values_of(const uint8_t *record, const uint8_t *bytes) {
    const values_t values = {bytes, bp_record_zero_point(record),
                             bp_record_dtype(record) == BP_DTYPE_UINT8};
    return values;
}

/* Without the zero point. */
static int32_t value_at(const values_t *values, uint32_t i) {
    const uint8_t byte = values->bytes[(size_t)i];
    return (values->is_unsigned ? byte : (int8_t)byte) - values->zero_point;
}

static int is_normal_f32(uint32_t bits) {
    return bits >= (uint32_t)1 << 23 && bits < (uint32_t)255 << 23;
}

static uint64_t square_of(int32_t x) {
    const uint64_t size = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
    return size * size;
}

bp_status_t bp_anomaly_score(uint64_t *score, const bp_model_t *model, const uint8_t *input,
                             const uint8_t *output) {
    if (model->n_inputs != 1 || model->n_outputs != 1) {
        return BP_E_UNSUPPORTED;
    }
    const uint8_t *from = bp_tensor_record(model, bp_model_input(model, 0));
    const uint8_t *to = bp_tensor_record(model, bp_model_output(model, 0));
    const uint32_t s_from = BP_ROM_U32(from + BP_TENSOR_SCALE);
    const uint32_t s_to = BP_ROM_U32(to + BP_TENSOR_SCALE);
    if (bp_record_elems(from) != bp_record_elems(to)) {
        return BP_E_UNSUPPORTED;
    }
    if (!is_normal_f32(s_from) || !is_normal_f32(s_to)) {
        return BP_E_PARAM;
    }
    const bp_real_t unit =
        bp_real_scale(bp_real_div(bp_real_from_f32(s_from), bp_real_from_f32(s_to)), 16);
    const values_t x = values_of(from, input), y = values_of(to, output);
    *score = 0;
    for (uint32_t i = 0; i < bp_record_elems(to); ++i) {
        const int32_t wanted = bp_real_apply(value_at(&x, i), unit, INPUT_LIMIT);
        const int32_t difference = (value_at(&y, i) * 65536 - wanted + 128) >> 8;
        const uint64_t sum = *score + square_of(difference);
        *score = sum > SUM_LIMIT ? SUM_LIMIT : sum;
    }
    return BP_OK;
}
