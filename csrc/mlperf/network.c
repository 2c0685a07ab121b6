#include "network.h"

#include <byteprop/infer.h>
#include <byteprop/port.h>

#include "divide.h"
#include "real.h"
#include "settings.h"

#if defined(__GNUC__) && !defined(__AVR__)
#define ALIGNED __attribute__((aligned(16)))
#else
#define ALIGNED
#endif

/* The arena has the name that the memory report knows. */
static ALIGNED uint8_t bp_app_pool[BP_POOL_BYTES > 0 ? BP_POOL_BYTES : 1];
static ALIGNED uint8_t bp_mlperf_buffer[MLPERF_BUFFER_BYTES];
static uint32_t used;
static uint32_t size; /* 0: nothing is expected */
static bp_model_t model;

/* Pixels are stored as the model reads them. */
#define PIXEL_OFFSET (BP_MLPERF_FORMAT == MLPERF_PIXELS ? 0x80u : 0u)

bp_status_t mlperf_open(void) {
    return bp_model_open(&model, bp_model_image, bp_model_image_bytes);
}

int mlperf_buffer_begin(uint32_t n) {
    if (n == 0 || n > sizeof bp_mlperf_buffer) {
        return 0;
    }
    used = 0;
    size = n;
    return 1;
}

int mlperf_buffer_put(uint8_t byte) {
    if (used == size) {
        return 0;
    }
    bp_mlperf_buffer[used++] = (uint8_t)(byte ^ PIXEL_OFFSET);
    return 1;
}

uint32_t mlperf_buffer_used(void) {
    return used;
}

uint32_t mlperf_buffer_size(void) {
    return size;
}

uint8_t mlperf_buffer_at(uint32_t index) {
    return (uint8_t)(bp_mlperf_buffer[index] ^ PIXEL_OFFSET);
}

static const uint8_t *output_record(void) {
    return bp_tensor_record(&model, bp_model_output(&model, 0));
}

#if MLPERF_IS_REAL
static int8_t bp_mlperf_codes[BP_MLPERF_INPUTS];
#define INPUT ((const uint8_t *)bp_mlperf_codes)

static uint32_t real_at(uint32_t index) {
    const uint8_t *p = bp_mlperf_buffer + 4u * index;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void convert_input(void) {
    const uint8_t *record = bp_tensor_record(&model, bp_model_input(&model, 0));
    const uint32_t scale = BP_ROM_U32(record + BP_TENSOR_SCALE);
    const int32_t zero_point = BP_ROM_I32(record + BP_TENSOR_ZERO_POINT);
    for (uint32_t i = 0; i < BP_MLPERF_INPUTS; i++) {
        bp_mlperf_codes[i] = mlperf_quantize(real_at(i), scale, zero_point);
    }
}

/* In 2^-16, at most 512: the sum of 4096 squared differences stays below 2^64. */
#define FRACTION 16u
#define LIMIT ((int32_t)1 << (9u + FRACTION))
typedef char squares_do_not_overflow[(BP_MLPERF_INPUTS) <= 4096 ? 1 : -1];

static int32_t limited(int32_t value) {
    return value > LIMIT ? LIMIT : value < -LIMIT ? -LIMIT : value;
}

/* The anomaly score: the mean squared difference between the output and the real input. */
static int32_t result_at(uint16_t index) {
    const uint8_t *record = output_record();
    const uint8_t *y = bp_app_pool + BP_ROM_U32(record + BP_TENSOR_OFFSET);
    const uint32_t scale = BP_ROM_U32(record + BP_TENSOR_SCALE);
    const int32_t zero_point = BP_ROM_I32(record + BP_TENSOR_ZERO_POINT);
    uint64_t sum = 0;
    (void)index;
    for (uint32_t i = 0; i < BP_MLPERF_INPUTS; i++) {
        const int32_t output = mlperf_fixed(scale, (int8_t)y[i] - zero_point, FRACTION);
        const int64_t difference = limited(output) - limited(mlperf_fixed(real_at(i), 1, FRACTION));
        sum += (uint64_t)(difference * difference);
    }
    (void)mlperf_divide(&sum, BP_MLPERF_INPUTS); /* the mean, in 2^-32, below 2^52 */
    return (int32_t)((sum * 1000u + ((uint64_t)1 << (2u * FRACTION - 1u))) >> (2u * FRACTION));
}

uint16_t mlperf_n_results(void) {
    return 1;
}
#else
#define INPUT bp_mlperf_buffer

static void convert_input(void) {}

/* The real value of an output. */
static int32_t result_at(uint16_t index) {
    const uint8_t *record = output_record();
    const int8_t code = (int8_t)bp_app_pool[BP_ROM_U32(record + BP_TENSOR_OFFSET) + index];
    const int32_t zero_point = BP_ROM_I32(record + BP_TENSOR_ZERO_POINT);
    return mlperf_fixed(BP_ROM_U32(record + BP_TENSOR_SCALE), 1000 * (code - zero_point), 0);
}

uint16_t mlperf_n_results(void) {
    return (uint16_t)BP_ROM_U32(output_record() + BP_TENSOR_ELEMS);
}
#endif

int32_t mlperf_result(uint16_t index) {
    return result_at(index);
}

int mlperf_take_input(void) {
    if (used != sizeof bp_mlperf_buffer) {
        return 0;
    }
    convert_input();
    return 1;
}

/* The input is copied for every inference, since an inference may write over it. */
void mlperf_infer(void) {
    (void)bp_infer_put_inputs(bp_app_pool, INPUT, &model);
    bp_infer_run(&model, bp_app_pool, UINT16_MAX, NULL);
}
