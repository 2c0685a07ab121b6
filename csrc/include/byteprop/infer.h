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
/* Copies a sample to the inputs' places in the arena, or feeds it; returns what follows it. */
const uint8_t *bp_infer_put_inputs(uint8_t *arena, const uint8_t *x, const bp_model_t *model);
/* One op alone, on what is in the arena; nothing for one that runs while the model is fed. */
void bp_infer_op(const bp_model_t *model, uint8_t *arena, uint16_t op_index);
/* Sets state tensors to their zero points, as they are before the first inference. */
void bp_infer_reset(const bp_model_t *model, uint8_t *arena);

/* Of a model that is fed row by row, the ops of the first part run while the rows of the input come,
 * of which the arena has the last few. bp_infer_feed takes the place of bp_infer_put_inputs: it takes
 * the next n bytes of the input, any number, and runs that part as far as it gets; bp_infer_run then
 * runs the rest. fed: bytes of this sample that were fed before, 0 to begin one; returns their number
 * now, which is bp_infer_input_bytes when the input is complete. What is too many is left out.
 *   for (uint32_t fed = 0; fed < bp_infer_input_bytes(model);) {
 *       fed = bp_infer_feed(model, arena, fed, row, next_row(row));
 *   }
 *   bp_infer_run(model, arena, model->n_ops, NULL); */
uint32_t bp_infer_feed(const bp_model_t *model, uint8_t *arena, uint32_t fed, const uint8_t *x,
                       uint32_t n);
/* Whether a model is one of these. */
int bp_infer_is_fed(const bp_model_t *model);

/* Copies a sample's outputs out of the arena. Returns the end of y. */
uint8_t *bp_infer_get_outputs(uint8_t *y, const uint8_t *arena, const bp_model_t *model);
/* cdef: end */

#ifdef __cplusplus
}
#endif
#endif
