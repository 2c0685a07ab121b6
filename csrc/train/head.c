#include <byteprop/fixed.h>

#include "train/kernels/kernels.h"
#include "train/state.h"

/* Rows of the last layer as classes that come and go. A class begins with a row that is imprinted: from the features that are kept of it
 * and of the others, without a step of training. docs/numerics.md has the equations. */

enum { WEIGHT_LIMIT = 32640, MARGIN = 2 };

typedef struct {
    const bp_train_t *t;
    const bp_train_layer_t *layer;
    int32_t *mean; /* [n_in] of the class, in 1/256 */
    int32_t *away; /* [n_in] from the mean of the others */
    uint16_t j;
    uint16_t others; /* rows in use but for j */
    uint64_t norm;   /* of those rows, around their mean row */
    uint64_t length; /* of away */
} imprint_t;

static const bp_train_layer_t *last_layer(const bp_train_t *t) {
    return bp_train_layer(t, (uint16_t)(t->n_layers - 1));
}

static size_t row_at(const bp_train_layer_t *layer, uint16_t j) {
    return (size_t)j * layer->row_stride;
}

/* ---- weights ---- */

static int32_t weight(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j, uint16_t i) {
    const size_t at = row_at(layer, j) + i;
    const int32_t residual = layer->residual == 0 ? 0 : bp_train_i8(t, layer->residual)[at];
    return 256 * (int32_t)bp_train_weights(t, layer)[at] + residual;
}

static void set_weight(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j, uint16_t i,
                       int32_t w) {
    const size_t at = row_at(layer, j) + i;
    const int32_t high = bp_clamp((w + 128) >> 8, -127, 127);
    bp_train_weights(t, layer)[at] = (int8_t)high;
    if (layer->residual != 0) {
        bp_train_i8(t, layer->residual)[at] = (int8_t)(w - 256 * high);
    }
}

/* What waits for the end of a batch, or is a velocity, is not of the new row. */
static void clear_gradient(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j) {
    if (!bp_train_has_gradient(layer)) {
        return;
    }
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        bp_train_i32(t, layer->gradient)[row_at(layer, j) + i] = 0;
    }
    bp_train_i32(t, layer->bias_gradient)[j] = 0;
}

static void finish_row(const bp_train_t *t, const bp_train_layer_t *layer, uint16_t j,
                       int32_t master) {
    clear_gradient(t, layer, j);
    bp_train_i32(t, layer->bias_master)[j] = master;
    bp_train_fold_biases(t, layer);
}

/* ---- integers of 64 bits ---- */

/* floor((a + floor(b / 2)) / b), for 0 < b < 2^32. */
static int64_t divided(int64_t a, uint32_t b) {
    const int64_t sum = a + (b >> 1);
    return sum >= 0 ? (int64_t)bp_train_quotient((uint64_t)sum, b)
                    : -(int64_t)bp_train_quotient((uint64_t)(b - 1 - sum), b);
}

/* floor(sqrt(a)) */
static uint64_t square_root(uint64_t a) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
        const int fits = a >= root + bit;
        a -= fits ? root + bit : 0;
        root = (root >> 1) + (fits ? bit : 0);
    }
    return root;
}

static int32_t clamped(int64_t x, int32_t low, int32_t high) {
    return x < low ? low : (x > high ? high : (int32_t)x);
}

/* ---- means of features ---- */

typedef struct {
    uint32_t own;
    uint32_t others;
} counts_t;

/* How many are kept of the class, and of the other classes in use. */
static counts_t count(const imprint_t *p) {
    counts_t n = {0, 0};
    for (uint32_t e = 0; e < p->t->config.kept; ++e) {
        uint16_t label;
        if (bp_train_kept(p->t, e, &label) != NULL) {
            n.own += label == p->j ? 1u : 0u;
            n.others += label != p->j && bp_train_is_used(p->t, label) ? 1u : 0u;
        }
    }
    return n;
}

static void add_features(int32_t *sum, const int8_t *x, const bp_train_layer_t *layer) {
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        sum[i] += (int32_t)x[i] - layer->x_zp;
    }
}

static void sum_features(const imprint_t *p) {
    for (uint32_t i = 0; i < (uint32_t)2 * p->layer->n_in; ++i) {
        p->mean[i] = 0; /* away is behind it */
    }
    for (uint32_t e = 0; e < p->t->config.kept; ++e) {
        uint16_t label;
        const int8_t *x = bp_train_kept(p->t, e, &label);
        if (x != NULL && (label == p->j || bp_train_is_used(p->t, label))) {
            add_features(label == p->j ? p->mean : p->away, x, p->layer);
        }
    }
}

static void make_means(imprint_t *p, counts_t n) {
    uint64_t squares = 0;
    sum_features(p);
    for (uint16_t i = 0; i < p->layer->n_in; ++i) {
        const int64_t others =
            n.others == 0 ? 0 : divided((int64_t)256 * p->away[i], n.others);
        p->mean[i] = (int32_t)divided((int64_t)256 * p->mean[i], n.own);
        p->away[i] = (int32_t)(p->mean[i] - others);
        squares += (uint64_t)((int64_t)p->away[i] * p->away[i]);
    }
    p->length = square_root(squares);
}

/* ---- the other rows ---- */

static int is_other(const imprint_t *p, uint16_t r) {
    return r != p->j && bp_train_is_used(p->t, r);
}

/* From units of row r to those of row j. */
static int32_t in_units_of(const imprint_t *p, uint16_t r, int32_t x, int32_t limit) {
    if (!p->layer->per_channel) {
        return bp_saturated(x, limit);
    }
    const bp_real_t ratio = bp_real_div(bp_weight_scale(p->t, p->layer, r),
                                        bp_weight_scale(p->t, p->layer, p->j));
    return bp_real_apply(x, ratio, limit);
}

static int32_t other_weight(const imprint_t *p, uint16_t r, uint16_t i) {
    return in_units_of(p, r, weight(p->t, p->layer, r, i), WEIGHT_LIMIT);
}

static int32_t mean_weight(const imprint_t *p, uint16_t i) {
    int64_t sum = 0;
    for (uint16_t r = 0; r < p->layer->n_out; ++r) {
        sum += is_other(p, r) ? other_weight(p, r, i) : 0;
    }
    return (int32_t)divided(sum, p->others);
}

static uint64_t squares_of_column(const imprint_t *p, uint16_t i) {
    const int32_t mean = mean_weight(p, i);
    uint64_t squares = 0;
    for (uint16_t r = 0; r < p->layer->n_out; ++r) {
        if (is_other(p, r)) {
            const int64_t distance = other_weight(p, r, i) - mean;
            squares += (uint64_t)(distance * distance);
        }
    }
    return squares;
}

static void measure_rows(imprint_t *p) {
    uint64_t squares = 0;
    for (uint16_t i = 0; i < p->layer->n_in; ++i) {
        squares += squares_of_column(p, i);
    }
    p->norm = square_root(bp_train_quotient(squares, p->others));
}

/* What row r makes of features, without its bias, in the bias's 1/256. */
static int64_t dot(const imprint_t *p, uint16_t r, const int8_t *x) {
    const bp_train_layer_t *layer = p->layer;
    const size_t at = row_at(layer, r);
    const int8_t *residual = layer->residual == 0 ? NULL : bp_train_i8(p->t, layer->residual) + at;
    return bp_dot_master(bp_train_weights(p->t, layer) + at, residual, x, layer->x_zp,
                         layer->n_in);
}

/* The best of the other rows on a sample of the class. */
static int32_t best_other(const imprint_t *p, const int8_t *x) {
    int32_t best = -BP_MASTER_LIMIT;
    for (uint16_t r = 0; r < p->layer->n_out; ++r) {
        if (is_other(p, r)) {
            const int64_t sum = bp_train_i32(p->t, p->layer->bias_master)[r] + dot(p, r, x);
            const int32_t there = clamped(sum, INT32_MIN, INT32_MAX);
            const int32_t here = in_units_of(p, r, there, BP_MASTER_LIMIT);
            best = here > best ? here : best;
        }
    }
    return best;
}

/* ---- the row ---- */

static void write_weights(const imprint_t *p) {
    const int64_t norm = (int64_t)p->norm;
    for (uint16_t i = 0; i < p->layer->n_in; ++i) {
        const int64_t step =
            p->length == 0 ? 0 : divided(p->away[i] * norm, (uint32_t)p->length);
        const int32_t w = clamped(mean_weight(p, i) + step, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1);
        set_weight(p->t, p->layer, p->j, i, w);
    }
}

static uint64_t squares_of(const imprint_t *p, const int8_t *x) {
    uint64_t squares = 0;
    for (uint16_t i = 0; i < p->layer->n_in; ++i) {
        const int32_t u = (int32_t)x[i] - p->layer->x_zp;
        squares += (uint32_t)(u * u);
    }
    return squares;
}

/* A sample lies nearer to a mean that it is part of than the next one will; by so much the row makes
 * too much of its own samples, n of them, on average. squares: of all their features. */
static int64_t own_share(const imprint_t *p, uint64_t squares, uint32_t n) {
    uint64_t of_mean = 0;
    for (uint16_t i = 0; i < p->layer->n_in; ++i) {
        of_mean += (uint64_t)((int64_t)p->mean[i] * p->mean[i]);
    }
    const int64_t spread =
        divided((int64_t)(256 * squares), n) - (int64_t)(of_mean >> 8);
    if (n < 2 || spread < 0 || p->length == 0) {
        return 0;
    }
    return divided(divided(spread, n - 1) * (int64_t)p->norm, (uint32_t)p->length);
}

/* On further samples of the class, the row is by MARGIN, as a real number, above the best of the
 * others on average. */
static int32_t bias_of_row(const imprint_t *p, uint32_t n) {
    const int32_t margin =
        bp_real_apply(MARGIN, bp_train_bias_step(p->t, p->layer, p->j), (int32_t)1 << 30);
    int64_t missing = 0;
    uint64_t squares = 0;
    for (uint32_t e = 0; e < p->t->config.kept; ++e) {
        uint16_t label;
        const int8_t *x = bp_train_kept(p->t, e, &label);
        if (x != NULL && label == p->j) {
            missing += best_other(p, x) - dot(p, p->j, x);
            squares += squares_of(p, x);
        }
    }
    const int64_t bias = divided(missing, n) + own_share(p, squares, n);
    return bp_saturated(bias + margin, BP_MASTER_LIMIT);
}

static uint16_t count_others(const imprint_t *p) {
    uint16_t n = 0;
    for (uint16_t r = 0; r < p->layer->n_out; ++r) {
        n = (uint16_t)(n + (is_other(p, r) ? 1u : 0u));
    }
    return n;
}

static bp_status_t check_head(const bp_train_t *t, uint16_t j) {
    if (t->kept == 0 || t->n_layers != 1 || last_layer(t)->frozen) {
        return BP_E_UNSUPPORTED;
    }
    return j < last_layer(t)->n_out ? BP_OK : BP_E_ARG;
}

bp_status_t bp_train_imprint(bp_train_t *t, uint16_t j) {
    BP_TRY(check_head(t, j));
    const bp_train_layer_t *layer = last_layer(t);
    int32_t *means = bp_train_i32(t, t->means);
    imprint_t p = {t, layer, means, means + (size_t)layer->n_in, j, 0, 0, 0};
    p.others = count_others(&p);
    const counts_t n = count(&p);
    if (p.others == 0 || n.own == 0) {
        return BP_E_STATE;
    }
    make_means(&p, n);
    measure_rows(&p);
    write_weights(&p);
    finish_row(t, layer, j, bias_of_row(&p, n.own));
    return BP_OK;
}

bp_status_t bp_train_remove(bp_train_t *t, uint16_t j) {
    BP_TRY(check_head(t, j));
    const bp_train_layer_t *layer = last_layer(t);
    const imprint_t p = {t, layer, NULL, NULL, j, 0, 0, 0};
    if (!bp_train_is_used(t, j) || count_others(&p) == 0) {
        return BP_E_STATE;
    }
    for (uint16_t i = 0; i < layer->n_in; ++i) {
        set_weight(t, layer, j, i, 0);
    }
    bp_train_forget(t, j);
    finish_row(t, layer, j, BP_UNUSED_BIAS);
    return BP_OK;
}
