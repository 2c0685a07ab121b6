#include "ops/joins.h"
#include "train/steps/steps.h"

/* PAD and PADV2: the input has the errors of where it is in the output. */

bp_status_t bp_train_pad_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                              const bp_train_layer_t *below) {
    (void)below;
    return bp_train_read_moved(layer, bp_operand_record(model, op, 1));
}

void bp_train_pad_run(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                      const int8_t *x, int8_t *scratch) {
    bp_op_t op;
    (void)scratch;
    bp_model_op(&op, &t->model, layer->op);
    bp_pad_8((uint8_t *)y, (const uint8_t *)x, &t->model, &op);
}

bp_real_t bp_train_pad_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    bp_op_t op;
    bp_model_op(&op, &t->model, bp_train_layer(t, l)->op);
    const uint8_t *tx = bp_operand_record(&t->model, &op, 0);
    const uint8_t *ty = bp_operand_record(&t->model, &op, 1);
    const int16_t *delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
    int32_t *h = bp_train_sums_below(t, l);
    const uint32_t n = bp_record_elems(tx), first = bp_pad_at(&t->model, &op);
    for (uint32_t i = 0; i < n; ++i) {
        uint32_t left = i, at = first;
        for (uint8_t axis = 0; axis < BP_MODEL_MAX_RANK; ++axis) {
            const uint32_t stride = bp_record_stride(tx, axis);
            at += left / stride * bp_record_stride(ty, axis);
            left %= stride;
        }
        h[i] = delta[at];
    }
    return unit;
}
