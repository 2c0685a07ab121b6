#include "train_image.h"

#include <byteprop/crc32.h>
#include <byteprop/kernels.h>
#include <byteprop/model.h>
#include <byteprop/train.h>
#include <stddef.h>

/* Scales: inputs 2^-6, weights 2^-6, hidden 2^-4, the last layer's output 2^-3. */
enum { SCALE_X = 121, SCALE_W = 121, SCALE_HIDDEN = 123, SCALE_Y = 124 };

typedef struct {
    uint8_t *image;
    const train_net_t *net;
    uint32_t data; /* next free byte of the data section */
} maker_t;

static void put(const maker_t *maker, uint32_t at, uint32_t value, uint8_t bytes) {
    for (; bytes != 0 && maker->image != NULL; --bytes, value >>= 8) {
        maker->image[at++] = (uint8_t)value;
    }
}

static uint32_t reserve(maker_t *maker, uint32_t bytes) {
    uint32_t at = maker->data;
    maker->data = (at + bytes + 3) & ~(uint32_t)3;
    for (; at < maker->data && maker->image != NULL; ++at) {
        maker->image[at] = 0;
    }
    return maker->data - ((bytes + 3) & ~(uint32_t)3);
}

/* Every tensor has its own place in the arena. Returns where the next one begins. */
static uint32_t put_tensor(const maker_t *maker, uint32_t at, uint8_t dtype, uint16_t elems,
                           uint32_t arena, uint32_t exponent, int32_t zero_point) {
    put(maker, at, dtype | 2u << 8, 4); /* rank 2, an activation */
    put(maker, at + 4, 1, 4);
    put(maker, at + 8, elems, 4);
    put(maker, at + 12, 1, 4);
    put(maker, at + 16, 1, 4);
    put(maker, at + 20, elems, 4);
    put(maker, at + 24, arena, 4);
    put(maker, at + 28, exponent << 23, 4);
    put(maker, at + 32, (uint32_t)zero_point, 4);
    put(maker, at + 36, 0, 4);
    return (arena + elems + 3) & ~(uint32_t)3;
}

/* The longest record is that of a dense op: 4 bytes, 2 operands, 7 words. */
enum { RECORD_BYTES = 8 + 7 * 4 };

/* Op k reads tensor k and writes tensor k + 1. The records follow their offsets, each with room for the
 * longest. Returns where its parameters are. */
static uint32_t put_op(const maker_t *maker, uint32_t ops, uint16_t n_ops, uint16_t k, uint8_t code,
                       uint8_t n_words) {
    uint32_t at = ops + 4u * n_ops + k * (uint32_t)RECORD_BYTES;
    put(maker, ops + 4u * k, at, 4);
    for (uint32_t i = 0; i < RECORD_BYTES; i += 4) {
        put(maker, at + i, 0, 4);
    }
    put(maker, at, code | 1u << 8 | (uint32_t)1 << 16 | (uint32_t)n_words << 24, 4);
    put(maker, at + 4, k | (uint32_t)(k + 1u) << 16, 4);
    return at + 8;
}

/* The activation's and the flags' word, and the range. */
static void put_range(const maker_t *maker, uint32_t params, uint32_t first_word, int8_t y_min,
                      int8_t y_max) {
    put(maker, params, first_word, 4);
    put(maker, params + 4, (uint32_t)(int32_t)y_min, 2);
    put(maker, params + 6, (uint32_t)(int32_t)y_max, 2);
}

static void put_scalings(maker_t *maker, uint32_t args, uint16_t channels, int8_t lshift) {
    uint32_t mults = reserve(maker, 4u * channels);
    uint32_t shifts = reserve(maker, channels);
    uint32_t scales = reserve(maker, 4u * channels);
    put(maker, args + 8, mults, 4);
    put(maker, args + 12, shifts, 4);
    put(maker, args + 16, scales, 4);
    for (uint16_t j = 0; j < channels; ++j) {
        /* Rows differ by a fraction of an octave where there is one scale a row. */
        uint32_t part = (uint32_t)j % 5 * 0x155555u;
        put(maker, mults + 4u * j, 0x40000000u + (part << 7), 4);
        put(maker, shifts + j, (uint8_t)lshift, 1);
        put(maker, scales + 4u * j, ((uint32_t)SCALE_W << 23) + part, 4);
    }
}

static void put_dense(maker_t *maker, uint32_t args, uint8_t l, int32_t x_zp, int8_t lshift) {
    uint16_t n_in = maker->net->dims[l], n_out = maker->net->dims[l + 1];
    uint32_t stride = (n_in + 3u) & ~(uint32_t)3;
    uint32_t weights = reserve(maker, n_out * stride);
    uint32_t biases = reserve(maker, 4u * n_out);
    put(maker, args, weights, 4);
    put(maker, args + 4, biases, 4);
    for (uint16_t j = 0; j < n_out; ++j) {
        int32_t sum = 0;
        for (uint16_t i = 0; i < n_in; ++i) {
            int8_t w = (int8_t)((int32_t)(bp_train_draw(7, i, l, j) >> 25) - 64);
            put(maker, weights + j * stride + i, (uint8_t)w, 1);
            sum += w;
        }
        put(maker, biases + 4u * j, (uint32_t)(100 * (j % 3)) - (uint32_t)x_zp * (uint32_t)sum, 4);
    }
    put_scalings(maker, args, maker->net->per_channel ? n_out : 1, lshift);
}

static void put_softmax(maker_t *maker, uint32_t args) {
    uint32_t table = reserve(maker, 1024);
    put(maker, args, table, 4);
    put(maker, args + 4, 0x3F800000, 4);
    for (uint16_t d = 0; d < 256; ++d) {
        /* 2^-3 in Q5.26 is 2^23: half of 2^31 and 24 to the left. */
        put(maker, table + 4u * d, (uint32_t)bp_softmax_exp(d, (int32_t)1 << 30, 24, -124), 4);
    }
}

static int8_t y_max_of(uint8_t activation, int32_t zp) {
    int32_t top = activation == BP_ACT_RELU6          ? zp + 96
                  : activation == BP_ACT_RELU_N1_TO_1 ? zp + 16
                                                      : 127;
    return (int8_t)(top < 127 ? top : 127);
}

static int8_t y_min_of(uint8_t activation, int32_t zp) {
    int32_t low = activation == BP_ACT_NONE           ? -128
                  : activation == BP_ACT_RELU_N1_TO_1 ? zp - 16
                                                      : zp;
    return (int8_t)(low > -128 ? low : -128);
}

static void put_header(const maker_t *maker, uint16_t tensors, uint16_t ops, uint32_t arena,
                       uint32_t features, uint32_t ops_at, uint32_t io_at) {
    const uint32_t words[BP_MODEL_HEADER_BYTES / 4] = {
        BP_MODEL_MAGIC,
        BP_MODEL_VERSION | (uint32_t)BP_MODEL_HEADER_BYTES << 16,
        maker->data,
        0,
        io_at - ops_at,
        arena,
        tensors | (uint32_t)ops << 16,
        1 | (uint32_t)1 << 16,
        BP_MODEL_HEADER_BYTES,
        ops_at,
        io_at,
        io_at + 4,
        maker->data - io_at - 4,
        0,
        0,
        0,
        features,
    };
    for (uint8_t i = 0; i < BP_MODEL_HEADER_BYTES / 4; ++i) {
        put(maker, 4u * i, words[i], 4);
    }
    put(maker, io_at, (uint32_t)(tensors - 1u) << 16, 4);
    if (maker->image != NULL) {
        put(maker, BP_HEADER_CRC32,
            bp_crc32(0, maker->image + BP_MODEL_CRC_FROM, maker->data - BP_MODEL_CRC_FROM), 4);
    }
}

uint32_t make_train_image(uint8_t *image, const train_net_t *net) {
    uint16_t ops = (uint16_t)(net->uint8_input + net->n_layers + net->softmax);
    uint32_t ops_at = BP_MODEL_HEADER_BYTES + (ops + 1u) * BP_MODEL_TENSOR_BYTES;
    uint32_t io_at = ops_at + (uint32_t)ops * (4 + RECORD_BYTES);
    maker_t maker = {image, net, io_at + 4};
    uint16_t k = 0;
    uint32_t at = BP_MODEL_HEADER_BYTES, arena = 0, features = 1u << BP_OP_DENSE_S8;
    if (net->uint8_input) {
        arena = put_tensor(&maker, at, BP_DTYPE_UINT8, net->dims[0], 0, SCALE_X, net->x_zp + 128);
        uint32_t params = put_op(&maker, ops_at, ops, k++, BP_OP_RESCALE, 4);
        put_range(&maker, params, BP_ACT_NONE, -128, 127);
        put(&maker, params + 8, (uint32_t)1 << 30, 4);
        put(&maker, params + 12, 1, 4);
        features |= 1u << BP_OP_RESCALE;
        at += BP_MODEL_TENSOR_BYTES;
    }
    arena = put_tensor(&maker, at, BP_DTYPE_INT8, net->dims[0], arena, SCALE_X, net->x_zp);
    int32_t x_zp = net->x_zp;
    uint32_t x_scale = SCALE_X;
    for (uint8_t l = 0; l < net->n_layers; ++l) {
        int last = l + 1 == net->n_layers;
        uint8_t activation = last ? BP_ACT_NONE : net->activation;
        int8_t zp = last ? 0 : net->hidden_zp;
        uint32_t y_scale = last ? SCALE_Y : SCALE_HIDDEN;
        uint32_t params = put_op(&maker, ops_at, ops, k++, BP_OP_DENSE_S8, 7);
        uint32_t flags = BP_OP_HAS_BIAS | (net->per_channel ? BP_OP_PER_CHANNEL : 0);
        put_range(&maker, params, (uint32_t)activation << 8 | flags << 16,
                  y_min_of(activation, zp), y_max_of(activation, zp));
        put_dense(&maker, params + 8, l, x_zp,
                  (int8_t)((int32_t)(x_scale + SCALE_W) - 127 + 1 - (int32_t)y_scale));
        at += BP_MODEL_TENSOR_BYTES;
        arena = put_tensor(&maker, at, BP_DTYPE_INT8, net->dims[l + 1], arena, y_scale, zp);
        x_zp = zp;
        x_scale = y_scale;
    }
    if (net->softmax) {
        put_softmax(&maker, put_op(&maker, ops_at, ops, k++, BP_OP_SOFTMAX_S8, 2));
        at += BP_MODEL_TENSOR_BYTES;
        arena = put_tensor(&maker, at, BP_DTYPE_INT8, net->dims[net->n_layers], arena, 119, -128);
        features |= 1u << BP_OP_SOFTMAX_S8;
    }
    put_header(&maker, (uint16_t)(ops + 1), ops, arena, features, ops_at, io_at);
    return maker.data;
}
