/* Training: one sample at a time, in integers, on a model image in RAM. The equations are
 * in docs/numerics.md. The image's int8 weights are the inference weights and stay so: after every
 * update the image is a valid model but for its checksum, which bp_train_seal renews. */
#ifndef BYTEPROP_TRAIN_H
#define BYTEPROP_TRAIN_H

#include <byteprop/infer.h>
#include <byteprop/model.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
/* Flags of a configuration. */
enum {
    BP_TRAIN_NEAREST = 1,    /* round to nearest instead of stochastically */
    BP_TRAIN_NO_RESIDUAL = 2, /* int8 weights only: no memory for residuals */
    BP_TRAIN_AUTOENCODER = 8, /* the target is the model's input, and no other is given; a model
                               * without softmax, with as many inputs as outputs */
    BP_TRAIN_IN_FLASH = 4     /* the image is only read; weights and biases of the layers that are
                               * trained are copied to the end of the state. Not with a window */
};
/* Losses. */
enum { BP_LOSS_CROSS_ENTROPY = 1, BP_LOSS_MSE = 2 };

/* Layers with weights, and all layers, that are trained or behind one that is. */
enum { BP_TRAIN_MAX_LAYERS = 16, BP_TRAIN_MAX_STEPS = 64, BP_TRAIN_CONFIG_BYTES = 20 };

/* What training of a model needs to know; it stays the same to its end. */
typedef struct {
    uint32_t seed;
    uint32_t frozen; /* bit l: dense layer l is not trained. All ops before the first layer that is
                      * trained, dense or convolution, are the frozen part: they run as in inference,
                      * and nothing of them changes */
    uint16_t batch;  /* samples per update, >= 1; above 1 costs 4 bytes per weight */
    uint16_t window; /* updates between revisions of the scales; 0: scales stay as they are */
    uint8_t flags;
    uint8_t momentum_shift; /* 0: none; k: velocity decays by 2^-k per update, 4 bytes per weight */
    uint16_t kept; /* samples whose features are kept, to learn from them again: labels and int8
                    * features in the state. Only of classes, not with a window, and not where a
                    * later layer reads more of the frozen part than the first one does */
    uint8_t rate_shift; /* 0..40: rates are in 2^-(24 + rate_shift) */
    uint8_t convs;      /* how many convolutions are trained: the last ones of the model */
} bp_train_config_t;

/* Counters of a training. */
typedef struct {
    uint32_t steps; /* updates */
    uint32_t samples;
    uint32_t saturated_weights;
    uint32_t saturated_activations; /* counted when window > 0 */
    uint32_t saturated_logits;      /* counted when window > 0 */
    uint32_t vanished; /* rows whose whole update was rounded to 0 although delta was not 0 */
    uint32_t rescales; /* scales doubled or halved */
} bp_train_counters_t;

/* Of one sample. */
typedef struct {
    uint64_t loss; /* cross-entropy: 1/256 bit; MSE: sum of squared errors, unit (s_y * 2^-16)^2 */
    uint16_t predicted; /* class; 0 for MSE */
    uint8_t correct;    /* predicted == label; 0 for MSE */
} bp_train_result_t;

/* Bytes of memory that training of this model takes beyond the image. *state_bytes: the part that
 * must survive (residuals, bias masters, velocities, counters), which is at its front and the
 * same on every machine; *memory_bytes: all. E_UNSUPPORTED, E_PARAM or E_ARG when it cannot be
 * trained; then *layer is the op's index. */
BP_MUST_CHECK bp_status_t bp_train_plan(uint32_t *memory_bytes, uint32_t *state_bytes,
                                        uint16_t *layer, const bp_model_t *model,
                                        const bp_train_config_t *config);

/* Private to csrc/train. It takes at most BP_TRAIN_BYTES, aligned as pointers are. */
typedef struct bp_train bp_train_t;
enum { BP_TRAIN_BYTES = 144 };
uint32_t bp_train_sizeof(void);

/* Begins training of the image (4-byte aligned, opened before; in RAM unless BP_TRAIN_IN_FLASH, which
 * only reads it). memory: as planned, 4-byte
 * aligned. arena: as inference has it, for the ops before the first layer that is trained. Residuals
 * are 0, bias masters come from the image, counters are 0. */
BP_MUST_CHECK bp_status_t bp_train_open(bp_train_t *train, uint8_t *image, uint32_t image_bytes,
                                        const bp_train_config_t *config, uint8_t *memory,
                                        uint32_t memory_bytes, uint8_t *arena);
/* Continues from a state block that was copied from another machine or from flash, with the image
 * of that moment: state is state_bytes long and already at the front of the memory given to open.
 */
BP_MUST_CHECK bp_status_t bp_train_resume(bp_train_t *train);

/* cdef: end */
/* One sample: forward, loss, backward, update. x: input bytes as inference takes them; NULL: they are
 * in the arena, where the ops before the first trained layer may overwrite them. label for
 * cross-entropy; target [n_out] for MSE in units of s_y * 2^-16, zero point not included.
 * NULL with BP_TRAIN_AUTOENCODER. lr_q24: in 2^-24, or finer by the configuration's rate_shift. */
bp_status_t bp_train_sample(bp_train_t *train, bp_train_result_t *result, const uint8_t *x,
                            uint16_t label, const int32_t *target, uint32_t lr_q24);
/* Forward and loss only. */
bp_status_t bp_train_evaluate(bp_train_t *train, bp_train_result_t *result, const uint8_t *x,
                              uint16_t label, const int32_t *target);
/* cdef: begin */
/* Does the update of a batch that is not full. No-op when nothing is pending. */
void bp_train_flush(bp_train_t *train);
/* Renews the image's checksum; the image is then a model that bp_model_open accepts. */
void bp_train_seal(bp_train_t *train);
/* The counters up to now. */
void bp_train_counters(bp_train_counters_t *counters, const bp_train_t *train);
/* 1 when samples have labels, for cross-entropy; 0 when they have targets. */
int bp_train_is_classifier(const bp_train_t *train);
/* 1 when the target is the input: samples then have neither labels nor targets. */
int bp_train_is_autoencoder(const bp_train_t *train);

/* Keeps the features of a sample, what the first trained layer reads of it, under its label; x as in
 * bp_train_sample. When config.kept are there, one of the class that has the most makes room.
 * E_UNSUPPORTED when the configuration keeps none. */
BP_MUST_CHECK bp_status_t bp_train_remember(bp_train_t *train, const uint8_t *x, uint16_t label);
/* Learns from one that is kept: all classes in use that have some are as likely, and so are all that
 * are kept of a class. E_STATE when there is none. */
BP_MUST_CHECK bp_status_t bp_train_rehearse(bp_train_t *train, bp_train_result_t *result,
                                            uint32_t lr_q24);
/* Keeps the features of a sample as bp_train_remember does, but holds them out: nothing learns from
 * them, bp_train_check judges by them. At most half of the places; E_STATE beyond. */
BP_MUST_CHECK bp_status_t bp_train_hold(bp_train_t *train, const uint8_t *x, uint16_t label);
/* How good the model is for the samples that are held out, of classes in use. */
typedef struct {
    uint32_t loss;    /* mean cross-entropy, 1/256 bit, rounded down */
    uint32_t waited;  /* checks since the least loss; 0: this is the least. Training that waits for
                       * several checks in vain can stop, and go back to what was saved at 0 */
    uint16_t held;    /* samples */
    uint16_t correct; /* of them */
} bp_train_check_t;
/* E_STATE when none is held out; E_UNSUPPORTED when the configuration keeps no features. */
BP_MUST_CHECK bp_status_t bp_train_check(bp_train_t *train, bp_train_check_t *check);
/* Writes row j of the last layer from what is kept of class j and of the others, without training;
 * the class is in use from then on. E_STATE when nothing is kept of it or no other class is in use,
 * E_UNSUPPORTED unless the last layer alone is trained and features are kept. */
BP_MUST_CHECK bp_status_t bp_train_imprint(bp_train_t *train, uint16_t j);
/* Takes class j out of use and forgets what is kept of it. E_STATE if it is not in use, or is the
 * only one. */
BP_MUST_CHECK bp_status_t bp_train_remove(bp_train_t *train, uint16_t j);

/* n samples: those of x, labels or targets that order names, or the first n when order is NULL.
 * lr_q24 has one rate per sample; NULL evaluates without learning. results: [n]. Stops at the first
 * status that is not BP_OK and returns it. */
bp_status_t bp_train_run(bp_train_t *train, bp_train_result_t *results, const uint8_t *x,
                         const uint16_t *labels, const int32_t *targets, const uint32_t *order,
                         const uint32_t *lr_q24, uint32_t n);
/* The rounding generator: one draw for (seed, step, layer, row). Also initial weights and shuffles.
 */
uint32_t bp_train_draw(uint32_t seed, uint32_t step, uint32_t layer, uint32_t row);
/* n bytes of the image as trained, from an offset on; for an image that stays in flash. */
void bp_train_read_image(uint8_t *dst, const bp_train_t *train, uint32_t offset, uint32_t n);
/* cdef: end */
/* The first n_ops ops of inference with the weights as trained; as bp_infer_run. */
void bp_train_infer(const bp_train_t *train, uint16_t n_ops, const bp_infer_hooks_t *hooks);

#ifdef __cplusplus
}
#endif
#endif
