#include "ops/joins.h"
#include "train/steps/steps.h"

/* CONCATENATION: each input has the errors of where it is in the output. */

bp_status_t bp_train_concatenate_read(bp_train_layer_t *layer, const bp_model_t *model,
                                      const bp_op_t *op, const bp_train_layer_t *below) {
    (void)below;
    return bp_train_read_moved(layer, bp_operand_record(model, op, op->n_inputs));
}

/* Input i in the output: rows of `n` values, `at` behind the begin of the output's. */
typedef struct {
    uint32_t rows;
    uint32_t n;
    uint32_t at;
    uint32_t row; /* values of an output row */
} part_t;

static part_t part_of(const bp_train_t *t, uint16_t l, uint16_t i) {
    part_t part = {0};
    bp_op_t op;
    bp_model_op(&op, &t->model, bp_train_layer(t, l)->op);
    part.rows = bp_concatenate_rows(&t->model, &op);
    for (uint16_t k = 0; k < op.n_inputs; ++k) {
        const uint32_t n = bp_record_elems(bp_operand_record(&t->model, &op, k)) / part.rows;
        part.at += k < i ? n : 0;
        part.n = k == i ? n : part.n;
        part.row += n;
    }
    return part;
}

void bp_train_concatenate_join(const bp_train_t *t, uint16_t l, int8_t *y, const int8_t *x) {
    bp_op_t op;
    bp_model_op(&op, &t->model, bp_train_layer(t, l)->op);
    for (uint16_t i = 0; i < op.n_inputs; ++i) {
        const part_t part = part_of(t, l, i);
        const int8_t *from = bp_train_operand(t, l, i, x);
        for (uint32_t row = 0; row < part.rows; ++row) {
            int8_t *to = y + (size_t)(row * part.row + part.at);
            for (uint32_t k = 0; k < part.n; ++k) {
                *to++ = *from++;
            }
        }
    }
}

void bp_train_concatenate_split(const bp_train_t *t, uint16_t l, uint16_t i, int32_t *sums) {
    const int16_t *delta = (const int16_t *)(const void *)bp_train_i32(t, t->errors);
    const part_t part = part_of(t, l, i);
    for (uint32_t row = 0; row < part.rows; ++row) {
        const int16_t *from = delta + (size_t)(row * part.row + part.at);
        for (uint32_t k = 0; k < part.n; ++k) {
            *sums++ = *from++;
        }
    }
}
