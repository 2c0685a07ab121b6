#include <byteprop/config.h>
#include <byteprop/infer.h>
#include <byteprop/kernels.h>
#include <byteprop/model.h>

/* Everything that could go wrong here was checked when the model was opened. */

static const uint8_t *rom(const bp_model_t *model, uint32_t offset) {
    return model->image + (size_t)offset;
}

static void copy(uint8_t *y, const uint8_t *x, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = x[i];
    }
}

static void run_dense(uint8_t *y, const uint8_t *x, const bp_model_t *model, const bp_op_t *op,
                      const bp_tensor_t *tx, const bp_tensor_t *ty) {
    uint32_t n_out = bp_tensor_last_dim(ty);
    uint32_t rows = 1;
    uint32_t n_in = tx->elems;
    if (ty->elems != n_out) { /* where there is no division, two cost more than a small layer */
        rows = ty->elems / n_out;
        n_in /= rows;
    }
    const bp_dense_s8_t dense = {
        .weights = rom(model, op->args[0]),
        .bias = rom(model, op->args[1]),
        .mult_q31 = rom(model, op->args[2]),
        .lshift = rom(model, op->args[3]),
        .n_in = (uint16_t)n_in,
        .n_out = (uint16_t)n_out,
        .row_stride = (uint16_t)((n_in + 3) & ~(uint32_t)3),
        .per_channel = (op->flags & BP_OP_PER_CHANNEL) != 0,
        .y_zp = (int8_t)ty->zero_point,
        .y_min = (int8_t)op->y_min,
        .y_max = (int8_t)op->y_max,
    };
    for (; rows != 0; --rows) {
        bp_dense_s8((int8_t *)y, (const int8_t *)x, &dense);
        y += n_out;
        x += n_in;
    }
}

static void run_rescale(uint8_t *y, const uint8_t *x, const bp_op_t *op, const bp_tensor_t *tx,
                        const bp_tensor_t *ty) {
    const bp_rescale_t rescale = {
        .mult_q31 = (int32_t)op->args[0],
        .lshift = (int8_t)op->args[1],
        .x_unsigned = tx->dtype == BP_DTYPE_UINT8,
        .y_unsigned = ty->dtype == BP_DTYPE_UINT8,
        .x_zp = (int16_t)tx->zero_point,
        .y_zp = (int16_t)ty->zero_point,
        .y_min = op->y_min,
        .y_max = op->y_max,
    };
    bp_rescale_8(y, x, ty->elems, &rescale);
}

static void run_softmax(uint8_t *y, const uint8_t *x, const bp_model_t *model, const bp_op_t *op,
                        const bp_tensor_t *tx) {
    uint32_t n = bp_tensor_last_dim(tx);
    const uint8_t *exp_q31 = rom(model, op->args[0]);
    for (uint32_t done = 0; done < tx->elems; done += n) {
        bp_softmax_s8((int8_t *)y + done, (const int8_t *)x + done, exp_q31, (uint16_t)n);
    }
}

static void run_op(uint8_t *y, const uint8_t *x, const bp_model_t *model, const bp_op_t *op,
                   const bp_tensor_t *tx, const bp_tensor_t *ty) {
    switch (op->code) {
    case BP_OP_DENSE_S8:
        run_dense(y, x, model, op, tx, ty);
        break;
    case BP_OP_RESCALE:
        run_rescale(y, x, op, tx, ty);
        break;
    case BP_OP_SOFTMAX_S8:
        run_softmax(y, x, model, op, tx);
        break;
    default:
        if (y != x) {
            copy(y, x, ty->elems);
        }
        break;
    }
}

static void read_op(bp_op_t *op, bp_tensor_t *tx, bp_tensor_t *ty, const bp_model_t *model,
                    uint16_t index) {
    bp_model_op(op, model, index);
    bp_model_tensor(tx, model, op->input);
    bp_model_tensor(ty, model, op->output);
}

void bp_infer_run(const bp_model_t *model, uint8_t *arena, uint16_t n_ops,
                  const bp_infer_hooks_t *hooks) {
    bp_op_t op;
    bp_tensor_t tx, ty;
    for (uint16_t i = 0; i < n_ops && i < model->n_ops; ++i) {
        read_op(&op, &tx, &ty, model, i);
        run_op(arena + (size_t)ty.arena_offset, arena + (size_t)tx.arena_offset, model, &op, &tx,
               &ty);
        if (hooks != NULL) {
            hooks->after_op(hooks->context, i);
        }
    }
}

void bp_infer_op(uint8_t *y, const uint8_t *x, const bp_model_t *model, uint16_t op_index) {
    bp_op_t op;
    bp_tensor_t tx, ty;
    read_op(&op, &tx, &ty, model, op_index);
    run_op(y, x, model, &op, &tx, &ty);
}

static uint32_t elems_of(const bp_model_t *model, uint16_t tensor_index) {
    bp_tensor_t tensor;
    bp_model_tensor(&tensor, model, tensor_index);
    return tensor.elems;
}

uint32_t bp_infer_input_bytes(const bp_model_t *model) {
    uint32_t bytes = 0;
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        bytes += elems_of(model, bp_model_input(model, i));
    }
    return bytes;
}

uint32_t bp_infer_output_bytes(const bp_model_t *model) {
    uint32_t bytes = 0;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        bytes += elems_of(model, bp_model_output(model, i));
    }
    return bytes;
}

static const uint8_t *put_inputs(uint8_t *arena, const uint8_t *x, const bp_model_t *model) {
    bp_tensor_t tensor;
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        bp_model_tensor(&tensor, model, bp_model_input(model, i));
        copy(arena + (size_t)tensor.arena_offset, x, tensor.elems);
        x += (size_t)tensor.elems;
    }
    return x;
}

static uint8_t *get_outputs(uint8_t *y, const uint8_t *arena, const bp_model_t *model) {
    bp_tensor_t tensor;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        bp_model_tensor(&tensor, model, bp_model_output(model, i));
        copy(y, arena + (size_t)tensor.arena_offset, tensor.elems);
        y += (size_t)tensor.elems;
    }
    return y;
}

void bp_infer_batch(uint8_t *y, const uint8_t *x, uint32_t n, const bp_model_t *model,
                    uint8_t *arena) {
    for (; n != 0; --n) {
        x = put_inputs(arena, x, model);
        bp_infer_run(model, arena, model->n_ops, NULL);
        y = get_outputs(y, arena, model);
    }
}
