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
    put_u32(image + 12, bp_crc32(0, image + 16, get_u32(image + 8) - 16));
}

static void put_header(uint8_t *image) {
    const uint32_t words[] = {BP_MODEL_MAGIC,
                              BP_MODEL_VERSION | BP_MODEL_HEADER_BYTES << 16,
                              DEMO_BYTES,
                              0,
                              0x1E,
                              DEMO_ARENA,
                              6 | 5 << 16,
                              1 | 1 << 16,
                              DEMO_TENSORS,
                              DEMO_OPS,
                              DEMO_IO,
                              DEMO_DATA,
                              DEMO_NAMES - DEMO_DATA,
                              DEMO_NAMES,
                              4,
                              0};
    for (size_t i = 0; i < 16; ++i) {
        put_u32(image + 4 * i, words[i]);
    }
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

/* Op `index` reads tensor `index` and writes the next one. */
static uint8_t *put_op(uint8_t *ops, uint16_t index, uint8_t code, uint8_t flags, int16_t y_min) {
    uint8_t *p = ops + (size_t)index * BP_MODEL_OP_BYTES;
    p[0] = code;
    p[3] = flags;
    put_u16(p + 4, index);
    put_u16(p + 6, index + 1u);
    put_u16(p + 8, (uint16_t)y_min);
    put_u16(p + 10, 127);
    return p + 12;
}

static void put_ops(uint8_t *ops) {
    static const uint32_t dense1[5] = {DEMO_W1, DEMO_B1, DEMO_M1, DEMO_S1, DEMO_WS1};
    static const uint32_t dense2[5] = {DEMO_W2, DEMO_B2, DEMO_M2, DEMO_S2, DEMO_WS2};
    uint8_t *args = put_op(ops, 0, BP_OP_RESCALE, 0, -128);
    put_u32(args, (uint32_t)1 << 30);
    put_u32(args + 4, 1);
    put_op(ops, 1, BP_OP_RESHAPE, 0, -128);
    args = put_op(ops, 2, BP_OP_DENSE_S8, BP_OP_HAS_BIAS, -128);
    uint8_t *args2 = put_op(ops, 3, BP_OP_DENSE_S8, BP_OP_PER_CHANNEL | BP_OP_HAS_BIAS, -128);
    ops[2 * BP_MODEL_OP_BYTES + 2] = BP_ACT_RELU;
    for (size_t i = 0; i < 5; ++i) {
        put_u32(args + 4 * i, dense1[i]);
        put_u32(args2 + 4 * i, dense2[i]);
    }
    put_u32(put_op(ops, 4, BP_OP_SOFTMAX_S8, 0, -128), DEMO_EXP);
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
    put_ops(image + DEMO_OPS);
    put_u16(image + DEMO_IO, 0);
    put_u16(image + DEMO_IO + 2, 5);
    put_data(image);
    seal(image);
}
