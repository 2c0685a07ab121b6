#include "demo_image.h"

#include <byteprop/crc32.h>
#include <byteprop/kernels.h>
#include <byteprop/model.h>
#include <string.h>

void put_u16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

void put_u32(uint8_t *p, uint32_t value) {
    put_u16(p, value);
    put_u16(p + 2, value >> 16);
}

uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void seal(uint8_t *image) {
    put_u32(image + BP_HEADER_CRC32, bp_crc32(0, image + BP_MODEL_CRC_FROM,
                                              get_u32(image + BP_HEADER_TOTAL_BYTES) -
                                                  BP_MODEL_CRC_FROM));
}

static void put_header(uint8_t *image) {
    put_u32(image + BP_HEADER_MAGIC, BP_MODEL_MAGIC);
    put_u16(image + BP_HEADER_VERSION, BP_MODEL_VERSION);
    put_u16(image + BP_HEADER_HEADER_BYTES, BP_MODEL_HEADER_BYTES);
    put_u32(image + BP_HEADER_TOTAL_BYTES, DEMO_BYTES);
    put_u32(image + BP_HEADER_OPS_BYTES, DEMO_IO - DEMO_OPS);
    put_u32(image + BP_HEADER_ARENA_BYTES, DEMO_ARENA);
    put_u16(image + BP_HEADER_N_TENSORS, 6);
    put_u16(image + BP_HEADER_N_OPS, 5);
    put_u16(image + BP_HEADER_N_INPUTS, 1);
    put_u16(image + BP_HEADER_N_OUTPUTS, 1);
    put_u32(image + BP_HEADER_TENSORS_OFFSET, DEMO_TENSORS);
    put_u32(image + BP_HEADER_OPS_OFFSET, DEMO_OPS);
    put_u32(image + BP_HEADER_IO_OFFSET, DEMO_IO);
    put_u32(image + BP_HEADER_DATA_OFFSET, DEMO_DATA);
    put_u32(image + BP_HEADER_DATA_BYTES, DEMO_NAMES - DEMO_DATA);
    put_u32(image + BP_HEADER_NAMES_OFFSET, DEMO_NAMES);
    put_u32(image + BP_HEADER_NAMES_BYTES, 4);
    image[BP_HEADER_FEATURES] = 1u << BP_OP_DENSE_S8 | 1u << BP_OP_RESCALE |
                                1u << BP_OP_SOFTMAX_S8 | 1u << BP_OP_RESHAPE;
}

static void put_tensor(uint8_t *p, uint8_t dtype, uint32_t d1, uint32_t d2, uint32_t arena_offset,
                       int32_t zero_point) {
    p[0] = dtype;
    p[1] = d2 == 0 ? 2 : 3;
    put_u32(p + 4, 1);
    put_u32(p + 8, d1);
    put_u32(p + 12, d2 == 0 ? 1 : d2);
    put_u32(p + 16, 1);
    put_u32(p + 20, d2 == 0 ? d1 : d1 * d2);
    put_u32(p + 24, arena_offset);
    put_u32(p + 28, 0x3F800000);
    put_u32(p + 32, (uint32_t)zero_point);
}

static void put_tensors(uint8_t *p) {
    put_tensor(p, BP_DTYPE_UINT8, 2, 3, 0, 128);
    put_u32(p + 36, DEMO_NAMES);
    put_tensor(p + 40, BP_DTYPE_INT8, 2, 3, 0, 0);
    put_tensor(p + 80, BP_DTYPE_INT8, 6, 0, 0, 0);
    put_tensor(p + 120, BP_DTYPE_INT8, 5, 0, 8, -128);
    put_tensor(p + 160, BP_DTYPE_INT8, 3, 0, 0, 10);
    put_tensor(p + 200, BP_DTYPE_INT8, 3, 0, 0, -128);
}

/* Op `index` reads tensor `index` and writes the next one. Returns its parameters. */
static uint8_t *put_op(uint8_t *image, uint16_t index, uint32_t at, uint8_t code, uint8_t n_words) {
    uint8_t *p = image + at;
    put_u32(image + DEMO_OPS + 4u * index, at);
    p[BP_OP_CODE] = code;
    p[BP_OP_N_INPUTS] = 1;
    p[BP_OP_N_OUTPUTS] = 1;
    p[BP_OP_N_WORDS] = n_words;
    put_u16(p + BP_OP_OPERANDS, index);
    put_u16(p + BP_OP_OPERANDS + 2, index + 1u);
    return p + 8;
}

static void put_range(uint8_t *p, int16_t y_min, int16_t y_max) {
    put_u16(p, (uint16_t)y_min);
    put_u16(p + 2, (uint16_t)y_max);
}

static void put_dense(uint8_t *p, uint8_t activation, uint8_t flags, const uint32_t *parts) {
    p[1] = activation;
    p[2] = flags;
    put_range(p + 4, -128, 127);
    for (size_t i = 0; i < 5; ++i) {
        put_u32(p + 8 + 4 * i, parts[i]);
    }
}

static void put_ops(uint8_t *image) {
    static const uint32_t dense1[5] = {DEMO_W1, DEMO_B1, DEMO_M1, DEMO_S1, DEMO_WS1};
    static const uint32_t dense2[5] = {DEMO_W2, DEMO_B2, DEMO_M2, DEMO_S2, DEMO_WS2};
    uint8_t *p = put_op(image, 0, DEMO_RESCALE, BP_OP_RESCALE, 4);
    put_range(p + 4, -128, 127);
    put_u32(p + 8, (uint32_t)1 << 30);
    put_u32(p + 12, 1);
    put_op(image, 1, DEMO_RESHAPE, BP_OP_RESHAPE, 0);
    p = put_op(image, 2, DEMO_DENSE1, BP_OP_DENSE_S8, 7);
    put_dense(p, BP_ACT_RELU, BP_OP_HAS_BIAS, dense1);
    p = put_op(image, 3, DEMO_DENSE2, BP_OP_DENSE_S8, 7);
    put_dense(p, BP_ACT_NONE, BP_OP_PER_CHANNEL | BP_OP_HAS_BIAS, dense2);
    put_u32(put_op(image, 4, DEMO_SOFTMAX, BP_OP_SOFTMAX_S8, 2), DEMO_EXP);
}

static void put_weights(uint8_t *rows, uint32_t n_out, uint32_t n_in) {
    for (uint32_t j = 0; j < n_out; ++j) {
        for (uint32_t i = 0; i < n_in; ++i) {
            rows[8 * j + i] = (uint8_t)(int8_t)((int32_t)(j * 37 + i * 53) % 255 - 127);
        }
    }
}

static void put_data(uint8_t *image) {
    int32_t table[256];
    put_weights(image + DEMO_W1, 5, 6);
    put_weights(image + DEMO_W2, 3, 5);
    for (uint32_t j = 0; j < 5; ++j) {
        put_u32(image + DEMO_B1 + 4 * j, 1000 * j - 2000);
    }
    put_u32(image + DEMO_M1, 0x50000000);
    image[DEMO_S1] = (uint8_t)-7;
    for (uint32_t j = 0; j < 3; ++j) {
        put_u32(image + DEMO_B2 + 4 * j, 500 * j);
        put_u32(image + DEMO_M2 + 4 * j, 0x40000001 + j);
        image[DEMO_S2 + j] = (uint8_t)(-7 - (int)j);
    }
    bp_softmax_exp_table(table, 1 << 30, 22, -495);
    for (uint32_t d = 0; d < 256; ++d) {
        put_u32(image + DEMO_EXP + 4 * d, (uint32_t)table[d]);
    }
    memcpy(image + DEMO_NAMES, "in", 3);
}

void make_demo_image(uint8_t *image) {
    memset(image, 0, DEMO_BYTES);
    put_header(image);
    put_tensors(image + DEMO_TENSORS);
    put_ops(image);
    put_u16(image + DEMO_IO, 0);
    put_u16(image + DEMO_IO + 2, 5);
    put_data(image);
    seal(image);
}
