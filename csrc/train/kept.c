#include "train/state.h"

/* Features of samples, kept with their labels in the state: what the first trained layer reads, so
 * that a sample is learnt from again without its inputs and without the frozen part. When there is no
 * room, the class that has the most gives one up. Some are held out: they say how good the rest has
 * made the model. docs/numerics.md has the rules. */

/* In place of a label: label + 1, with HELD where the sample is held out. */
#define FREE 0u
#define HELD 0x8000u
#define STREAM_REPLACED 0xFFFF0006u
#define STREAM_REHEARSED 0xFFFF0007u

typedef struct {
    uint32_t remembered; /* samples that were ever kept */
    uint32_t rehearsed;
    uint32_t best;   /* the least loss of a check, plus 1; 0 before the first */
    uint32_t waited; /* checks since then */
} kept_head_t;

static uint32_t padded(uint32_t n) {
    return (n + 3u) & ~(uint32_t)3u;
}

static kept_head_t *head_of(const bp_train_t *t) {
    return (kept_head_t *)(void *)(t->memory + (size_t)t->kept);
}

/* Of each place. */
static uint16_t *labels_of(const bp_train_t *t) {
    return (uint16_t *)(void *)(t->memory + (size_t)t->kept + sizeof(kept_head_t));
}

static uint32_t n_features(const bp_train_t *t) {
    return bp_record_elems(bp_tensor_record(&t->model, t->features));
}

static int8_t *features_of(const bp_train_t *t, uint32_t entry) {
    const uint32_t at = t->kept + (uint32_t)sizeof(kept_head_t) + padded(2u * t->config.kept);
    return bp_train_i8(t, at) + (size_t)entry * n_features(t);
}

static const bp_train_layer_t *last_layer(const bp_train_t *t) {
    return bp_train_layer(t, (uint16_t)(t->n_layers - 1));
}

uint64_t bp_train_kept_bytes(const bp_train_config_t *config, uint32_t features) {
    return config->kept == 0 ? 0
                             : sizeof(kept_head_t) + padded(2u * config->kept) +
                                   (uint64_t)config->kept * features;
}

/* The label + 1 of an entry, held out or not. */
static uint16_t plain(uint16_t entry) {
    return (uint16_t)(entry & 0x7FFFu);
}

/* Neither free nor held out. */
static int is_learnt(uint16_t entry) {
    return entry != FREE && (entry & HELD) == 0;
}

static uint32_t count_held(const bp_train_t *t) {
    uint32_t n = 0;
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        n += (labels_of(t)[e] & HELD) != 0;
    }
    return n;
}

int bp_train_kept_is_valid(const bp_train_t *t) {
    const uint16_t n_out = last_layer(t)->n_out;
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        const uint16_t entry = labels_of(t)[e];
        if (entry == HELD || plain(entry) > n_out) {
            return 0;
        }
    }
    return 2u * count_held(t) <= t->config.kept;
}

const int8_t *bp_train_kept(const bp_train_t *t, uint32_t entry, uint16_t *label) {
    const uint16_t kept = labels_of(t)[entry];
    *label = (uint16_t)(kept - 1u);
    return is_learnt(kept) ? features_of(t, entry) : NULL;
}

void bp_train_forget(const bp_train_t *t, uint16_t label) {
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        if (plain(labels_of(t)[e]) == label + 1u) {
            labels_of(t)[e] = FREE;
        }
    }
}

/* How many are there to learn from of each class, where the next sample's errors will be. */
static int32_t *count_classes(const bp_train_t *t) {
    const bp_train_layer_t *layer = last_layer(t);
    int32_t *counts = bp_train_i32(t, layer->delta);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        counts[j] = 0;
    }
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        const uint16_t entry = labels_of(t)[e];
        if (is_learnt(entry)) {
            ++counts[entry - 1];
        }
    }
    return counts;
}

static uint32_t below(uint32_t n, uint32_t draw) {
    return (uint32_t)((uint64_t)n * draw >> 32);
}

/* The entry that is the n-th with this label, from 0; one is there. */
static uint32_t find(const bp_train_t *t, uint16_t label, uint32_t n) {
    uint32_t e = 0;
    for (;; ++e) {
        if (labels_of(t)[e] == label + 1u && n-- == 0) {
            return e;
        }
    }
}

/* One of the class that has the most; of the new sample's own when no other has more. */
static uint32_t find_replaced(const bp_train_t *t, uint16_t label) {
    const int32_t *counts = count_classes(t);
    uint16_t most = label;
    for (uint16_t j = 0; j < last_layer(t)->n_out; ++j) {
        most = counts[j] > counts[most] ? j : most;
    }
    const uint32_t draw =
        bp_train_draw(t->config.seed, head_of(t)->remembered, STREAM_REPLACED, 0);
    return find(t, most, below((uint32_t)counts[most], draw));
}

/* When there is no free place, at least half of them are of samples to learn from. */
static uint32_t find_room(const bp_train_t *t, uint16_t label) {
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        if (labels_of(t)[e] == FREE) {
            return e;
        }
    }
    return find_replaced(t, label);
}

static bp_status_t keep(bp_train_t *t, const uint8_t *x, uint16_t label, uint16_t held) {
    if (t->kept == 0) {
        return BP_E_UNSUPPORTED;
    }
    if (label >= last_layer(t)->n_out) {
        return BP_E_ARG;
    }
    if (held != 0 && 2u * (count_held(t) + 1u) > t->config.kept) {
        return BP_E_STATE;
    }
    const int8_t *features = bp_train_features(t, x);
    const uint32_t entry = find_room(t, label);
    int8_t *to = features_of(t, entry);
    const uint32_t n = n_features(t);
    for (uint32_t i = 0; i < n; ++i) {
        to[i] = features[i];
    }
    labels_of(t)[entry] = (uint16_t)((label + 1u) | held);
    ++head_of(t)->remembered;
    return BP_OK;
}

bp_status_t bp_train_remember(bp_train_t *t, const uint8_t *x, uint16_t label) {
    return keep(t, x, label, 0);
}

bp_status_t bp_train_hold(bp_train_t *t, const uint8_t *x, uint16_t label) {
    return keep(t, x, label, HELD);
}

/* The n-th class of which samples are kept, from 0; one is there. */
static uint16_t nth_class(const int32_t *counts, uint32_t n) {
    uint16_t j = 0;
    for (;; ++j) {
        if (counts[j] != 0 && n-- == 0) {
            return j;
        }
    }
}

/* Leaves the counts of rows in use; returns how many classes have samples. */
static uint32_t drop_unused(const bp_train_t *t, int32_t *counts) {
    uint32_t n = 0;
    for (uint16_t j = 0; j < last_layer(t)->n_out; ++j) {
        counts[j] = counts[j] != 0 && bp_train_is_used(t, j) ? counts[j] : 0;
        n += counts[j] != 0;
    }
    return n;
}

bp_status_t bp_train_rehearse(bp_train_t *t, bp_train_result_t *result, uint32_t lr_q24) {
    if (t->kept == 0) {
        return BP_E_UNSUPPORTED;
    }
    const uint32_t seed = t->config.seed, number = head_of(t)->rehearsed;
    int32_t *counts = count_classes(t);
    const uint32_t classes = drop_unused(t, counts);
    if (classes == 0) {
        return BP_E_STATE;
    }
    const uint16_t label =
        nth_class(counts, below(classes, bp_train_draw(seed, number, STREAM_REHEARSED, 0)));
    const uint32_t nth =
        below((uint32_t)counts[label], bp_train_draw(seed, number, STREAM_REHEARSED, 1));
    ++head_of(t)->rehearsed;
    return bp_train_learn_features(t, result, features_of(t, find(t, label, nth)), label, NULL,
                                   lr_q24);
}

/* Adds up the losses of the samples that are held out, of classes in use. */
static bp_status_t judge_held(const bp_train_t *t, bp_train_check_t *check, uint64_t *loss) {
    for (uint32_t e = 0; e < t->config.kept; ++e) {
        const uint16_t entry = labels_of(t)[e];
        const uint16_t label = (uint16_t)(plain(entry) - 1u);
        if ((entry & HELD) == 0 || !bp_train_is_used(t, label)) {
            continue;
        }
        bp_train_result_t result;
        BP_TRY(bp_train_judge_features(t, &result, features_of(t, e), label));
        *loss += result.loss;
        check->correct = (uint16_t)(check->correct + result.correct);
        ++check->held;
    }
    return check->held == 0 ? BP_E_STATE : BP_OK;
}

bp_status_t bp_train_check(bp_train_t *t, bp_train_check_t *check) {
    if (t->kept == 0) {
        return BP_E_UNSUPPORTED;
    }
    uint64_t loss = 0;
    check->held = check->correct = 0;
    BP_TRY(judge_held(t, check, &loss));
    check->loss = (uint32_t)bp_train_quotient(loss, check->held);
    kept_head_t *head = head_of(t);
    const int is_best = head->best == 0 || check->loss + 1u < head->best;
    head->best = is_best ? check->loss + 1u : head->best;
    head->waited = is_best ? 0 : head->waited + 1u;
    check->waited = head->waited;
    return BP_OK;
}
