/* Inference: the walk over the ops of an opened model, in an arena planned when the model was made. */
#ifndef BYTEPROP_INFER_H
#define BYTEPROP_INFER_H

#include <byteprop/model.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called after each op, for profiles and heartbeats. */
typedef struct {
    void (*after_op)(void *context, uint16_t op_index);
    void *context;
} bp_infer_hooks_t;

/* Runs the first n_ops ops (all when n_ops >= model->n_ops). The inputs are in the arena already, at
 * their tensors' offsets. arena: model->arena_bytes, 4-byte aligned; a model with state needs
 * bp_infer_reset once. hooks may be NULL.
 * An input's bytes may be overwritten by later ops. */
void bp_infer_run(const bp_model_t *model, uint8_t *arena, uint16_t n_ops,
                  const bp_infer_hooks_t *hooks);

/* cdef: begin */
/* Bytes of one sample: all inputs, or all outputs, one after the other. */
uint32_t bp_infer_input_bytes(const bp_model_t *model);
uint32_t bp_infer_output_bytes(const bp_model_t *model);

/* n samples: y [n][output bytes] from x [n][input bytes]. y and x must not overlap. */
void bp_infer_batch(uint8_t *y, const uint8_t *x, uint32_t n, const bp_model_t *model,
                    uint8_t *arena);
/* Copies a sample to the inputs' places in the arena; returns what follows it. */
const uint8_t *bp_infer_put_inputs(uint8_t *arena, const uint8_t *x, const bp_model_t *model);
/* One op alone, on what is in the arena. */
void bp_infer_op(const bp_model_t *model, uint8_t *arena, uint16_t op_index);
/* Sets state tensors to their zero points, as they are before the first inference. */
void bp_infer_reset(const bp_model_t *model, uint8_t *arena);
/* cdef: end */

/* Copies a sample's outputs out of the arena. Returns the end of y. */
uint8_t *bp_infer_get_outputs(uint8_t *y, const uint8_t *arena, const bp_model_t *model);

#ifdef __cplusplus
}
#endif
#endif
