/* Inference that is faster by more memory, for hosts. A prepared model has copies of weights in the
 * order in which the CPU's tuned code reads them. The image stays the truth: who changes weights that
 * were copied prepares the model again. Where the CPU has no such code, what is here does what
 * infer.h does. */
#ifndef BYTEPROP_PREPARED_H
#define BYTEPROP_PREPARED_H

#include <byteprop/model.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
/* For the instruction set in use. Returns how many bytes it takes, and only counts if `prepared` is
 * NULL. prepared: BP_PREPARED_ALIGNMENT aligned. The model, which must stay, is an opened one. */
size_t bp_prepare(uint8_t *prepared, const bp_model_t *model);
#define BP_PREPARED_ALIGNMENT 64
/* Bytes of an arena that also has the memory in which prepared ops work. */
size_t bp_prepared_arena_bytes(const uint8_t *prepared);
/* As bp_infer_batch, in such an arena. With another instruction set than the one that the model was
 * prepared for, all ops run from the image. */
void bp_prepared_batch(uint8_t *y, const uint8_t *x, uint32_t n, const uint8_t *prepared,
                       uint8_t *arena);
/* Ops that run from copies. */
uint32_t bp_prepared_ops(const uint8_t *prepared);
/* cdef: end */

#ifdef __cplusplus
}
#endif
#endif
