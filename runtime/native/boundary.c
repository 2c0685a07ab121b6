#include "boundary.h"

#include <byteprop/infer.h>
#include <byteprop/prepared.h>
#include <math.h>
#include <stddef.h>

/* Values that go through all steps while they are in the first cache. */
enum { BLOCK = 512 };
/* The largest float32 below 0.5. Adding 0.5 itself would round 0.49999997 up to 1. */
static const float ALMOST_HALF = 0.49999997f;

static const size_t BYTES_OF[] = {sizeof(float), sizeof(double), 1}; /* by source */

#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

typedef struct {
    const bp_boundary_t *boundary;
    bp_encoded_t *encoded;
} job_t;

ALWAYS_INLINE void narrow(float *y, const double *x, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = (float)x[i];
    }
}

ALWAYS_INLINE void normalise(float *y, const float *x, uint32_t n, const float *sub,
                             const float *mul) {
    for (uint32_t i = 0; i < n; ++i) {
        y[i] = (x[i] - sub[i]) * mul[i];
    }
}

ALWAYS_INLINE uint32_t count_not_finite(const float *x, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; ++i) {
        count += !(fabsf(x[i]) < INFINITY);
    }
    return count;
}

/* How many values lie beyond the range by more than a step. */
ALWAYS_INLINE uint32_t quantise(uint8_t *y, const float *x, uint32_t n,
                                const bp_boundary_t *boundary) {
    const float scale = boundary->scale;
    const int32_t zero_point = boundary->zero_point;
    const float low = (float)(boundary->lowest - zero_point);
    const float high = low + 255;
    uint32_t outside = 0;
    for (uint32_t i = 0; i < n; ++i) {
        float steps = x[i] / scale;
        outside += (uint32_t)(steps < low - 1) + (uint32_t)(steps > high + 1);
        /* In this order NaN, which normalising can make, becomes low. */
        steps = steps > low ? steps : low;
        steps = steps < high ? steps : high;
        steps += copysignf(ALMOST_HALF, steps);
        y[i] = (uint8_t)((int32_t)steps + zero_point);
    }
    return outside;
}

/* Of a block that has a value that is not finite: how many come before it. */
static uint32_t finite_before(const float *x) {
    uint32_t i = 0;
    while (isfinite(x[i])) {
        ++i;
    }
    return i;
}

/* n values, the first of which takes the constants `at`. False when one is not finite. */
ALWAYS_INLINE int encode_block(uint8_t *y, const float *x, uint32_t n, uint32_t at, job_t job) {
    float normalised[BLOCK];
    if (count_not_finite(x, n) != 0) {
        job.encoded->finite += finite_before(x);
        return 0;
    }
    job.encoded->finite += n;
    if (job.boundary->period != 0) {
        normalise(normalised, x, n, job.boundary->sub + at, job.boundary->mul + at);
        x = normalised;
    }
    job.encoded->outside += quantise(y, x, n, job.boundary);
    return 1;
}

ALWAYS_INLINE void encode_pixels(uint8_t *y, const uint8_t *x, uint64_t n, job_t job) {
    const uint8_t lowest = (uint8_t)job.boundary->lowest;
    for (uint64_t i = 0; i < n; ++i) {
        y[i] = x[i] ^ lowest;
    }
    job.encoded->finite += n;
}

ALWAYS_INLINE void encode_all(uint8_t *y, const void *x, uint64_t n, int source, job_t job) {
    if (source == BP_BOUNDARY_PIXELS) {
        encode_pixels(y, (const uint8_t *)x, n, job);
        return;
    }
    float narrowed[BLOCK];
    const uint32_t period = job.boundary->period;
    uint32_t at = 0;
    uint32_t size;
    for (uint64_t i = 0; i < n; i += size) {
        size = n - i < BLOCK ? (uint32_t)(n - i) : BLOCK;
        if (period != 0 && size > period - at) {
            size = period - at;
        }
        const float *block = narrowed;
        if (source == BP_BOUNDARY_FLOAT64) {
            narrow(narrowed, (const double *)x + i, size);
        } else {
            block = (const float *)x + i;
        }
        if (!encode_block(y + i, block, size, at, job)) {
            return;
        }
        at = at + size == period ? 0 : at + size;
    }
}

static void encode_portable(uint8_t *y, const void *x, uint64_t n, int source, job_t job) {
    encode_all(y, x, n, source, job);
}

#if defined(__GNUC__) && defined(__x86_64__) && !defined(BP_ISA_PORTABLE)
/* The same C, compiled for eight values at a time. */
__attribute__((target("avx2"))) static void encode_avx2(uint8_t *y, const void *x, uint64_t n,
                                                        int source, job_t job) {
    encode_all(y, x, n, source, job);
}

static int has_avx2(void) {
    return __builtin_cpu_supports("avx2");
}
#else
static int has_avx2(void) {
    return 0;
}
#define encode_avx2 encode_portable
#endif

static void encode(uint8_t *y, const void *x, uint64_t n, int source, job_t job) {
    (has_avx2() ? encode_avx2 : encode_portable)(y, x, n, source, job);
}

void bp_boundary_encode(uint8_t *y, const void *x, uint64_t n, int source,
                        const bp_boundary_t *boundary, bp_encoded_t *encoded) {
    *encoded = (bp_encoded_t){0, 0};
    encode(y, x, n, source, (job_t){boundary, encoded});
}

static void decode(float *y, const uint8_t *x, size_t n, const float *reals) {
    for (size_t i = 0; i < n; ++i) {
        y[i] = reals[x[i]];
    }
}

void bp_boundary_predict(void *y, const void *x, uint32_t n, int source,
                         const bp_boundary_t *boundary, const float *reals,
                         const bp_model_t *model, const uint8_t *prepared, uint8_t *arena,
                         uint8_t *scratch, bp_encoded_t *encoded) {
    const uint32_t inputs = bp_infer_input_bytes(model);
    const uint32_t outputs = bp_infer_output_bytes(model);
    const size_t value_bytes = BYTES_OF[source];
    uint8_t *answers = scratch + (size_t)BP_BOUNDARY_ROWS * inputs;
    *encoded = (bp_encoded_t){0, 0};
    for (uint32_t i = 0; i < n; i += BP_BOUNDARY_ROWS) {
        const uint32_t rows = n - i < BP_BOUNDARY_ROWS ? n - i : BP_BOUNDARY_ROWS;
        const uint8_t *from = (const uint8_t *)x + (size_t)i * inputs * value_bytes;
        encode(scratch, from, (uint64_t)rows * inputs, source, (job_t){boundary, encoded});
        if (encoded->finite != (uint64_t)(i + rows) * inputs) {
            return;
        }
        const size_t done = (size_t)i * outputs;
        if (reals == NULL) {
            bp_prepared_batch((uint8_t *)y + done, scratch, rows, prepared, arena);
        } else {
            bp_prepared_batch(answers, scratch, rows, prepared, arena);
            decode((float *)y + done, answers, (size_t)rows * outputs, reals);
        }
    }
}
