#include "ops/joins.h"
#include "train/steps/steps.h"

/* ADD and SUB of two outputs of one shape: both inputs have the errors of the output. */

bp_status_t bp_train_add_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                              const bp_train_layer_t *below) {
    const uint8_t *y = bp_operand_record(model, op, 2);
    bp_add_t add;
    (void)below;
    for (uint8_t i = 0; i < 2; ++i) {
        if (bp_record_elems(bp_operand_record(model, op, i)) != bp_record_elems(y)) {
            return BP_E_UNSUPPORTED;
        }
    }
    BP_TRY(bp_train_read_moved(layer, y));
    bp_add_record(&add, model, op);
    layer->activation = bp_add_activation(op);
    layer->y_min = add.y_min;
    layer->y_max = add.y_max;
    return layer->activation > BP_ACT_RELU_N1_TO_1 ? BP_E_UNSUPPORTED : BP_OK;
}

void bp_train_add_join(const bp_train_t *t, uint16_t l, int8_t *y, const int8_t *x) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    bp_op_t op;
    bp_add_t add;
    bp_model_op(&op, &t->model, layer->op);
    bp_add_record(&add, &t->model, &op);
    bp_add_s8(y, bp_train_operand(t, l, 0, x), bp_train_operand(t, l, 1, x),
              bp_train_outputs(layer), &add);
}

void bp_train_add_split(const bp_train_t *t, uint16_t l, uint16_t i, int32_t *sums) {
    const bp_train_layer_t *layer = bp_train_layer(t, l);
    const int16_t *delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
    const uint32_t n = bp_train_outputs(layer);
    bp_op_t op;
    bp_add_t add;
    bp_model_op(&op, &t->model, layer->op);
    bp_add_record(&add, &t->model, &op);
    for (uint32_t k = 0; k < n; ++k) {
        sums[k] = i != 0 && add.subtract ? -delta[k] : delta[k];
    }
}
