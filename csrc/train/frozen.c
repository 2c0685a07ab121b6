#include <byteprop/infer.h>

#include "ops/ops.h"
#include "train/state.h"

/* The frozen part: the ops before the first layer that is trained. They run in the arena, exactly as
 * in inference, and training takes no memory for them. */

uint16_t bp_train_count(const bp_model_t *model, uint16_t n_ops, int convs) {
    bp_op_t op;
    uint16_t n = 0;
    for (uint16_t i = 0; i < n_ops; ++i) {
        bp_model_op(&op, model, i);
        n = (uint16_t)(n + (uint16_t)(convs ? bp_train_is_conv(&op) : op.code == BP_OP_DENSE_S8));
    }
    return n;
}

/* The first layer that is trained, the last dense one when none is. A sample is what it reads when
 * nothing is before it but reshapes, which keep bytes. */
static bp_status_t find_first(bp_train_t *t, const bp_model_t *model,
                              const bp_train_config_t *config) {
    bp_op_t op;
    uint16_t dense = 0;
    uint16_t convs = BP_TRAIN_HAS_IMAGES ? bp_train_count(model, model->n_ops, 1) : 0;
    int is_found = 0;
    t->features = BP_TRAIN_NONE;
    t->runs_frozen = model->n_inputs != 1;
    for (uint16_t i = 0; i < model->n_ops && !is_found; ++i) {
        bp_model_op(&op, model, i);
        const int is_dense = op.code == BP_OP_DENSE_S8;
        if (is_dense) {
            is_found = !BP_TRAIN_HAS_FROZEN_PART || !bp_train_is_frozen(config, dense);
            ++dense;
        } else if (BP_TRAIN_HAS_IMAGES && bp_train_is_conv(&op)) {
            --convs;
            is_found = bp_train_is_conv_trained(config, convs);
        }
        if (is_dense || is_found) {
            t->first_op = i;
            t->features = bp_op_input(&op, 0);
        }
        t->runs_frozen = (uint8_t)(t->runs_frozen || (!is_found && op.code != BP_OP_RESHAPE));
    }
    return t->features == BP_TRAIN_NONE ? BP_E_UNSUPPORTED : BP_OK;
}

/* What one sample leaves for the next would be lost by a training that is resumed. */
static bp_status_t check_kinds(const bp_model_t *model) {
    for (uint16_t i = 0; i < model->n_tensors; ++i) {
        if (bp_record_kind(bp_tensor_record(model, i)) == BP_KIND_STATE) {
            return BP_E_UNSUPPORTED;
        }
    }
    return BP_OK;
}

bp_status_t bp_train_find_frozen(bp_train_t *t, uint16_t *op, const bp_model_t *model,
                                 const bp_train_config_t *config) {
    *op = 0;
    if (model->n_outputs != 1) {
        return BP_E_UNSUPPORTED;
    }
    if (BP_TRAIN_HAS_FROZEN_PART) {
        BP_TRY(check_kinds(model));
    }
    BP_TRY(find_first(t, model, config));
    return BP_TRAIN_HAS_FROZEN_PART || !t->runs_frozen ? BP_OK : BP_E_UNSUPPORTED;
}

const int8_t *bp_train_features(const bp_train_t *t, const uint8_t *x) {
    const bp_model_t *model = &t->model;
    if (BP_TRAIN_HAS_FROZEN_PART && t->runs_frozen) {
        if (x != NULL) {
            (void)bp_infer_put_inputs(t->arena, x, model);
        }
        bp_infer_run(model, t->arena, t->first_op, NULL);
        return (const int8_t *)t->arena +
               (size_t)bp_record_offset(bp_tensor_record(model, t->features));
    }
    const uint8_t *input = bp_tensor_record(model, bp_model_input(model, 0));
    return (const int8_t *)(x != NULL ? x : t->arena + (size_t)bp_record_offset(input));
}
