#include <byteprop/anomaly.h>

/* Threshold, votes and drift. The largest normal scores are kept in order, so the threshold is exact,
 * whatever the order was in which they came. */

#define SCORE_LIMIT (((uint64_t)1 << 54) - 1)
enum { LEVEL_BITS = 8, MAX_DRIFT_SHIFT = 16, RATIO_BITS = 4 };

typedef char detector_has_one_size[sizeof(bp_anomaly_t) == BP_ANOMALY_BYTES ? 1 : -1];

static uint64_t limited(uint64_t score) {
    return score > SCORE_LIMIT ? SCORE_LIMIT : score;
}

/* Which of n normal scores, counted from the largest, is the threshold. */
static uint32_t rank_of(const bp_anomaly_t *d, uint32_t n) {
    return (uint32_t)((uint64_t)n * (1000u - d->config.permille) / 1000u);
}

static int is_config(const bp_anomaly_config_t *c) {
    return c->permille >= 1 && c->permille <= 999 && c->window >= 1 &&
           c->window <= BP_ANOMALY_WINDOW && c->votes >= 1 && c->votes <= c->window &&
           c->drift_shift >= 1 && c->drift_shift <= MAX_DRIFT_SHIFT && c->reserved == 0;
}

bp_status_t bp_anomaly_open(bp_anomaly_t *d, const bp_anomaly_config_t *config) {
    if (!is_config(config)) {
        return BP_E_ARG;
    }
    *d = (bp_anomaly_t){0};
    d->config = *config;
    return BP_OK;
}

/* ---- learning ---- */

static void insert(bp_anomaly_t *d, uint64_t score) {
    for (uint8_t i = 0; i < BP_ANOMALY_RANKS; ++i) {
        if (score > d->largest[i]) {
            const uint64_t smaller = d->largest[i];
            d->largest[i] = score;
            score = smaller;
        }
    }
}

bp_status_t bp_anomaly_learn(bp_anomaly_t *d, uint64_t score) {
    const uint32_t n = d->normal + 1;
    if (n == 0 || rank_of(d, n) >= BP_ANOMALY_RANKS || d->sum > UINT64_MAX - limited(score)) {
        return BP_E_SPACE;
    }
    insert(d, limited(score));
    d->normal = n;
    d->sum += limited(score);
    d->threshold = d->largest[rank_of(d, n)];
    d->level = (d->sum / n) << LEVEL_BITS;
    d->recent = 0;
    d->scored = 0;
    return BP_OK;
}

/* ---- judging ---- */

static uint8_t count_ones(uint32_t bits) {
    uint8_t n = 0;
    for (; bits != 0; bits &= bits - 1) {
        ++n;
    }
    return n;
}

static void follow(bp_anomaly_t *d, uint64_t score) {
    const uint8_t shift = d->config.drift_shift;
    const uint64_t half = (uint64_t)1 << (shift - 1);
    const uint64_t aim = score << LEVEL_BITS;
    if (aim >= d->level) {
        d->level += (aim - d->level + half) >> shift;
    } else {
        d->level -= (d->level - aim + half) >> shift;
    }
}

/* level / 256 > mean * ratio / 16, without its fractions. */
static int has_drifted(const bp_anomaly_t *d) {
    const uint64_t mean = d->sum / d->normal;
    return d->config.drift_ratio != 0 &&
           d->level >> LEVEL_BITS > (mean * d->config.drift_ratio) >> RATIO_BITS;
}

bp_status_t bp_anomaly_judge(bp_anomaly_t *d, bp_anomaly_verdict_t *verdict, uint64_t score) {
    if (d->normal == 0) {
        return BP_E_STATE;
    }
    const uint32_t seen = UINT32_MAX >> (BP_ANOMALY_WINDOW - d->config.window);
    verdict->score = limited(score);
    verdict->above = verdict->score > d->threshold;
    d->recent = (d->recent << 1 | verdict->above) & seen;
    ++d->scored;
    follow(d, verdict->score);
    verdict->votes = count_ones(d->recent);
    verdict->alarm = verdict->votes >= d->config.votes;
    verdict->drifts = (uint8_t)has_drifted(d);
    return BP_OK;
}

/* ---- from outside ---- */

bp_status_t bp_anomaly_check(const bp_anomaly_t *d) {
    if (!is_config(&d->config)) {
        return BP_E_ARG;
    }
    const uint32_t seen = UINT32_MAX >> (BP_ANOMALY_WINDOW - d->config.window);
    if (rank_of(d, d->normal) >= BP_ANOMALY_RANKS || d->reserved != 0 ||
        (d->recent & ~seen) != 0 || d->level >> LEVEL_BITS > SCORE_LIMIT ||
        d->largest[0] > SCORE_LIMIT ||
        d->threshold != (d->normal == 0 ? 0 : d->largest[rank_of(d, d->normal)])) {
        return BP_E_ARG;
    }
    for (uint8_t i = 1; i < BP_ANOMALY_RANKS; ++i) {
        if (d->largest[i] > d->largest[i - 1]) {
            return BP_E_ARG;
        }
    }
    return d->normal == 0 || d->sum / d->normal <= SCORE_LIMIT ? BP_OK : BP_E_ARG;
}
