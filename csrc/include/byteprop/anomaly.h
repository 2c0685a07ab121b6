/* A detector of anomalies behind an autoencoder: a score per window of a signal, a threshold that
 * is learnt from windows of a machine in order, votes of the last windows, and drift. Integers
 * alone; docs/numerics.md has the equations. */
#ifndef BYTEPROP_ANOMALY_H
#define BYTEPROP_ANOMALY_H

#include <byteprop/model.h>
#include <byteprop/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cdef: begin */
enum { BP_ANOMALY_RANKS = 32, BP_ANOMALY_WINDOW = 32, BP_ANOMALY_BYTES = 304 };

/* When scores are an alarm, and what is drift. */
typedef struct {
    uint16_t permille;   /* 1..999: of normal scores, so many are at or below the threshold */
    uint8_t votes;       /* 1..window: so many scores above it are an alarm */
    uint8_t window;      /* 1..BP_ANOMALY_WINDOW: of the last so many */
    uint8_t drift_shift; /* 1..16: the level moves by 2^-drift_shift of the way to a score */
    uint8_t drift_ratio; /* drift: the level is above so many 16ths of the mean of normal scores;
                          * 0: never */
    uint16_t reserved;   /* 0 */
} bp_anomaly_config_t;

/* A detector: plain memory of BP_ANOMALY_BYTES, the same on every machine, to be saved as it is. */
typedef struct {
    bp_anomaly_config_t config;
    uint32_t normal; /* scores that the threshold was learnt from */
    uint32_t scored; /* scores since then */
    uint32_t recent; /* bit i: i scores before the last, it was above the threshold */
    uint32_t reserved;
    uint64_t sum;   /* of the normal scores */
    uint64_t level; /* of the scores since, in 1/256 */
    uint64_t threshold;
    uint64_t largest[BP_ANOMALY_RANKS]; /* normal scores, falling */
} bp_anomaly_t;

/* What a detector says of a score. */
typedef struct {
    uint64_t score;
    uint8_t above;  /* the score is above the threshold */
    uint8_t votes;  /* of the last scores, so many were */
    uint8_t alarm;  /* enough of them */
    uint8_t drifts; /* the level is far above that of normal scores */
} bp_anomaly_verdict_t;

/* Begins; E_ARG for a configuration that is not as above. */
BP_MUST_CHECK bp_status_t bp_anomaly_open(bp_anomaly_t *detector,
                                          const bp_anomaly_config_t *config);
/* Of a detector that came from outside: E_ARG unless it is one that these functions can make. */
BP_MUST_CHECK bp_status_t bp_anomaly_check(const bp_anomaly_t *detector);
/* Learns from a score of a machine in order; the threshold follows at once. E_SPACE when more ranks
 * would be needed than there are: at most BP_ANOMALY_RANKS * 1000 / (1000 - permille) scores. */
BP_MUST_CHECK bp_status_t bp_anomaly_learn(bp_anomaly_t *detector, uint64_t score);
/* Judges a score. E_STATE when nothing has been learnt. */
BP_MUST_CHECK bp_status_t bp_anomaly_judge(bp_anomaly_t *detector, bp_anomaly_verdict_t *verdict,
                                           uint64_t score);

/* How far the outputs of an autoencoder are from its inputs: E_UNSUPPORTED unless the model has one
 * input and one output of as many values, E_PARAM when a scale of theirs is not a normal float32. */
BP_MUST_CHECK bp_status_t bp_anomaly_score(uint64_t *score, const bp_model_t *model,
                                           const uint8_t *input, const uint8_t *output);
/* cdef: end */

#ifdef __cplusplus
}
#endif
#endif
