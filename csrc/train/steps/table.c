#include "train/steps/steps.h"

/* The table: from an op's code to its functions. Comparisons and no array of pointers, so that what the
 * build does not train is not linked. */

#define HAS(OP, images) (!(images) || (BP_TRAIN_HAS_IMAGES && BP_TRAIN_HAS_OP(OP)))

bp_status_t bp_train_read(bp_train_layer_t *layer, const bp_model_t *model, const bp_op_t *op,
                          const bp_train_layer_t *below) {
#define TRY(OP, name, images, weights)                                                             \
    if (HAS(OP, images) && op->code == BP_OP_##OP) {                                               \
        return bp_train_##name##_read(layer, model, op, below);                                    \
    }
    BP_TRAIN_OP_LIST(TRY)
#undef TRY
#define TRY(OP, name)                                                                              \
    if (BP_TRAIN_HAS_BRANCHES && BP_TRAIN_HAS_OP(OP) && op->code == BP_OP_##OP) {                  \
        return bp_train_##name##_read(layer, model, op, below);                                    \
    }
    BP_TRAIN_JOIN_LIST(TRY)
#undef TRY
    return BP_E_UNSUPPORTED;
}

void bp_train_run_layer(const bp_train_t *t, const bp_train_layer_t *layer, int8_t *y,
                        const int8_t *x, int8_t *scratch) {
    if (bp_train_is_dense(layer)) {
        bp_train_dense_run(t, layer, y, x, scratch);
        return;
    }
#define TRY(OP, name, images, weights)                                                             \
    if ((images) && HAS(OP, images) && layer->code == BP_OP_##OP) {                                \
        bp_train_##name##_run(t, layer, y, x, scratch);                                            \
    }
    BP_TRAIN_OP_LIST(TRY)
#undef TRY
}

bp_real_t bp_train_down(const bp_train_t *t, uint16_t l, bp_real_t unit) {
    if (bp_train_is_dense(bp_train_layer(t, l))) {
        return bp_train_dense_down(t, l, unit);
    }
#define TRY(OP, name, images, weights)                                                             \
    if ((images) && HAS(OP, images) && bp_train_layer(t, l)->code == BP_OP_##OP) {                 \
        return bp_train_##name##_down(t, l, unit);                                                 \
    }
    BP_TRAIN_OP_LIST(TRY)
#undef TRY
    return unit;
}

void bp_train_learn(const bp_train_t *t, uint16_t l, const int8_t *x, bp_real_t rate) {
    if (bp_train_is_dense(bp_train_layer(t, l))) {
        bp_train_dense_learn(t, l, x, rate);
        return;
    }
#define TRY(OP, name, images, weights)                                                             \
    if ((images) && (weights) && HAS(OP, images) && bp_train_layer(t, l)->code == BP_OP_##OP) {    \
        bp_train_##name##_learn(t, l, x, rate);                                                    \
    }
    BP_TRAIN_OP_LIST(TRY)
#undef TRY
}

/* ---- joins ---- */

int bp_train_is_join(uint8_t code) {
#define TRY(OP, name) (BP_TRAIN_HAS_OP(OP) && code == BP_OP_##OP) ||
    return BP_TRAIN_JOIN_LIST(TRY) 0;
#undef TRY
}

void bp_train_join(const bp_train_t *t, uint16_t l, int8_t *y, const int8_t *x) {
    const uint8_t code = bp_train_layer(t, l)->code;
#define TRY(OP, name)                                                                              \
    if (BP_TRAIN_HAS_OP(OP) && code == BP_OP_##OP) {                                               \
        bp_train_##name##_join(t, l, y, x);                                                        \
    }
    BP_TRAIN_JOIN_LIST(TRY)
#undef TRY
}

void bp_train_split(const bp_train_t *t, uint16_t l, uint16_t i, int32_t *sums) {
    const uint8_t code = bp_train_layer(t, l)->code;
#define TRY(OP, name)                                                                              \
    if (BP_TRAIN_HAS_OP(OP) && code == BP_OP_##OP) {                                               \
        bp_train_##name##_split(t, l, i, sums);                                                    \
    }
    BP_TRAIN_JOIN_LIST(TRY)
#undef TRY
}
