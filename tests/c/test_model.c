/* bp_model_open: takes the demo image, and refuses each single thing that is wrong with it, with
 * the status that says what. */
#include <byteprop/model.h>
#include <string.h>

#include "check.h"
#include "demo_image.h"

enum {
    HEADER = 0,
    TENSOR = DEMO_TENSORS,
    TENSOR_BYTES = BP_MODEL_TENSOR_BYTES,
    RESCALE = DEMO_RESCALE,
    RESHAPE = DEMO_RESHAPE,
    DENSE1 = DEMO_DENSE1,
    DENSE2 = DEMO_DENSE2,
    SOFTMAX = DEMO_SOFTMAX,
    PARAMS = 8, /* of an op with two operands */
    PARTS = PARAMS + 8
};

typedef struct {
    uint32_t offset;
    uint8_t size; /* bytes that are replaced: 1, 2 or 4 */
    uint32_t value;
    int status;
} change_t;

static const change_t changes[] = {
    /* header */
    {HEADER + 0, 4, 0x314D5043, BP_E_MAGIC},
    {HEADER + 4, 2, 0, BP_E_VERSION},
    {HEADER + 4, 2, 1, BP_E_VERSION},
    {HEADER + 4, 2, 3, BP_E_VERSION},
    {HEADER + 6, 2, 64, BP_E_VERSION},
    {HEADER + 60, 4, 1, BP_E_ALIGN},
    {HEADER + 60, 4, 0xFFFFFFFC, BP_E_BOUNDS},
    {HEADER + 16, 4, 16, BP_E_BOUNDS},
    {HEADER + 16, 4, 20, BP_E_BOUNDS},
    {HEADER + 16, 4, DEMO_SOFTMAX + 12 - DEMO_OPS, BP_E_BOUNDS},
    {HEADER + 16, 4, 0xFFFFFFFF, BP_E_BOUNDS},
    {HEADER + 20, 4, DEMO_ARENA - 1, BP_E_ARENA},
    {HEADER + 20, 4, BP_MODEL_MAX_ARENA_BYTES + 1, BP_E_ARENA},
    {HEADER + 24, 2, 0xFFFF, BP_E_BOUNDS},
    {HEADER + 24, 2, 5, BP_E_BOUNDS},
    {HEADER + 24, 2, 0, BP_E_BOUNDS},
    {HEADER + 26, 2, 0xFFFF, BP_E_BOUNDS},
    {HEADER + 28, 2, 0, BP_E_BOUNDS},
    {HEADER + 28, 2, 7, BP_E_BOUNDS},
    {HEADER + 30, 2, 0, BP_E_BOUNDS},
    {HEADER + 30, 2, 0xFFFF, BP_E_BOUNDS},
    {HEADER + 32, 4, DEMO_TENSORS + 2, BP_E_ALIGN},
    {HEADER + 32, 4, 0, BP_E_BOUNDS},
    {HEADER + 32, 4, 0xFFFFFFFC, BP_E_BOUNDS},
    {HEADER + 36, 4, DEMO_BYTES - 4, BP_E_BOUNDS},
    {HEADER + 36, 4, 0xFFFFFFF0, BP_E_BOUNDS},
    {HEADER + 36, 4, DEMO_OPS + 2, BP_E_ALIGN},
    {HEADER + 40, 4, DEMO_BYTES, BP_E_BOUNDS},
    {HEADER + 40, 4, DEMO_IO + 1, BP_E_ALIGN},
    {HEADER + 44, 4, DEMO_DATA + 4, BP_E_BOUNDS},
    {HEADER + 44, 4, 32, BP_E_BOUNDS},
    {HEADER + 48, 4, 0xFFFFFFFF, BP_E_BOUNDS},
    {HEADER + 48, 4, 16, BP_E_BOUNDS},
    {HEADER + 52, 4, DEMO_NAMES + 4, BP_E_BOUNDS},
    {HEADER + 56, 4, 0xFFFFFFFF, BP_E_BOUNDS},
    {HEADER + 56, 4, 2, BP_E_BOUNDS},
    /* tensors */
    {TENSOR + 0, 1, 0, BP_E_DTYPE},
    {TENSOR + 0, 1, 4, BP_E_DTYPE},
    {TENSOR + 1, 1, 5, BP_E_SHAPE},
    {TENSOR + 1, 1, 1, BP_E_SHAPE},
    {TENSOR + 2, 1, 6, BP_E_KIND},
    {TENSOR + 2, 1, BP_KIND_ROWS, BP_E_SHAPE}, /* no image */
    {TENSOR + 2, 1, BP_KIND_INITIAL, BP_E_BOUNDS}, /* as of a constant */
    {TENSOR + 2, 1, BP_KIND_CONSTANT, BP_E_BOUNDS}, /* there is no data at 0 */
    {TENSOR + 2, 1, BP_KIND_STATE, BP_E_OVERLAP},
    {TENSOR + 2, 1, BP_KIND_SCRATCH, BP_E_KIND},
    {TENSOR + 3 * TENSOR_BYTES + 2, 1, BP_KIND_SCRATCH, BP_E_KIND}, /* an op's only output */
    {TENSOR + 3, 1, 2, BP_E_PARAM},
    {TENSOR + 4, 4, 0, BP_E_SHAPE},
    {TENSOR + 4, 4, 0x80000000, BP_E_SHAPE},
    {TENSOR + 16, 4, 2, BP_E_SHAPE},
    {TENSOR + 20, 4, 5, BP_E_SHAPE},
    {TENSOR + 20, 4, 0, BP_E_SHAPE},
    {TENSOR + 24, 4, 2, BP_E_ALIGN},
    {TENSOR + 24, 4, 8, BP_E_ARENA},
    {TENSOR + 24, 4, 0xFFFFFFFC, BP_E_ARENA},
    {TENSOR + 32, 4, 256, BP_E_PARAM},
    {TENSOR + 32, 4, 0xFFFFFFFF, BP_E_PARAM},
    {TENSOR + TENSOR_BYTES + 32, 4, 128, BP_E_PARAM},
    {TENSOR + 36, 4, DEMO_NAMES + 4, BP_E_BOUNDS},
    {TENSOR + 36, 4, DEMO_NAMES - 1, BP_E_BOUNDS},
    {DEMO_NAMES + 3, 1, 'x', BP_E_BOUNDS},
    /* inputs and outputs */
    {DEMO_IO, 2, 6, BP_E_BOUNDS},
    {DEMO_IO, 2, 1, BP_E_ORDER},
    {DEMO_IO + 2, 2, 6, BP_E_BOUNDS},
    {DEMO_IO + 2, 2, 4, BP_E_OVERLAP},
    {DEMO_IO + 2, 2, 0, BP_E_OVERLAP},
    /* any op */
    {DEMO_OPS, 4, DEMO_RESCALE + 2, BP_E_ALIGN},
    {DEMO_OPS, 4, DEMO_OPS, BP_E_BOUNDS},
    {DEMO_OPS, 4, DEMO_IO, BP_E_BOUNDS},
    {DEMO_OPS, 4, 0xFFFFFFFC, BP_E_BOUNDS},
    {RESCALE, 1, 0, BP_E_OP},
    {RESCALE, 1, 126, BP_E_OP},
    {RESCALE, 1, 127, BP_E_OP},
    {RESCALE, 1, 255, BP_E_OP},
    {RESCALE + 1, 1, 0, BP_E_PARAM},
    {RESCALE + 1, 1, 2, BP_E_ORDER}, /* its output becomes an input */
    {RESCALE + 1, 1, 255, BP_E_BOUNDS},
    {RESCALE + 2, 1, 0, BP_E_PARAM},
    {RESCALE + 2, 1, 255, BP_E_BOUNDS},
    {RESCALE + 3, 1, 3, BP_E_PARAM},
    {RESCALE + 3, 1, 5, BP_E_PARAM},
    {SOFTMAX + 3, 1, 3, BP_E_BOUNDS},
    {SOFTMAX + 3, 1, 255, BP_E_BOUNDS},
    {RESCALE + 4, 2, 6, BP_E_BOUNDS},
    {RESCALE + 4, 2, 2, BP_E_ORDER},
    {RESCALE + 6, 2, 6, BP_E_BOUNDS},
    /* RESCALE */
    {RESCALE + PARAMS, 1, 5, BP_E_PARAM},
    {RESCALE + PARAMS + 4, 2, 128, BP_E_PARAM},
    {RESCALE + PARAMS + 4, 2, 0xFF7F, BP_E_PARAM},
    {RESCALE + PARAMS + 6, 2, 128, BP_E_PARAM},
    {RESCALE + PARAMS + 6, 2, 0xFF7F, BP_E_PARAM},
    {RESCALE + PARAMS + 8, 4, 0x3FFFFFFF, BP_E_PARAM},
    {RESCALE + PARAMS + 8, 4, 0x80000000, BP_E_PARAM},
    {RESCALE + PARAMS + 12, 4, 31, BP_E_PARAM},
    {RESCALE + PARAMS + 12, 4, 257, BP_E_PARAM},
    {RESCALE + PARAMS + 12, 4, (uint32_t)-32, BP_E_PARAM},
    {RESCALE + 6, 2, 3, BP_E_SHAPE},
    /* RESHAPE */
    {RESHAPE + 6, 2, 3, BP_E_SHAPE},
    {RESHAPE + 4, 2, 0, BP_E_OVERLAP}, /* RESCALE has overwritten it */
    {TENSOR + TENSOR_BYTES, 1, BP_DTYPE_UINT8, BP_E_PARAM},
    {TENSOR + 2 * TENSOR_BYTES + 24, 4, 4, BP_E_OVERLAP},
    /* DENSE */
    {DENSE1 + PARAMS, 1, 1, BP_E_PARAM},
    {DENSE1 + PARAMS + 1, 1, 5, BP_E_PARAM},
    {DENSE1 + PARAMS + 2, 1, 8, BP_E_PARAM},
    {DENSE1 + PARAMS + 4, 2, 128, BP_E_PARAM},
    {DENSE1 + 3, 1, 6, BP_E_PARAM},
    {DENSE1 + 4, 2, 0, BP_E_OVERLAP},
    {DENSE1 + 6, 2, 4, BP_E_OVERLAP},
    {DENSE1 + 6, 2, 0, BP_E_DTYPE},
    {DENSE1 + PARTS, 4, DEMO_W1 + 2, BP_E_ALIGN},
    {DENSE1 + PARTS, 4, DEMO_W1 - 4, BP_E_BOUNDS},
    {DENSE1 + PARTS, 4, DEMO_NAMES - 36, BP_E_BOUNDS},
    {DENSE1 + PARTS, 4, 0xFFFFFFFC, BP_E_BOUNDS},
    {DENSE1 + PARTS + 4, 4, DEMO_B1 + 1, BP_E_ALIGN},
    {DENSE1 + PARTS + 4, 4, DEMO_NAMES - 16, BP_E_BOUNDS},
    {DENSE1 + PARTS + 8, 4, DEMO_M1 + 3, BP_E_ALIGN},
    {DENSE1 + PARTS + 8, 4, DEMO_NAMES, BP_E_BOUNDS},
    {DENSE1 + PARTS + 12, 4, DEMO_NAMES, BP_E_BOUNDS},
    {DENSE1 + PARTS + 16, 4, DEMO_NAMES, BP_E_BOUNDS},
    {DEMO_M1, 4, 0x3FFFFFFF, BP_E_PARAM},
    {DEMO_M1, 4, 0xFFFFFFFF, BP_E_PARAM},
    {DEMO_S1, 1, 31, BP_E_PARAM},
    {DEMO_S1, 1, 0xE0, BP_E_PARAM},
    {DEMO_W1 + 6, 1, 1, BP_E_PARAM},
    {DEMO_W1 + 39, 1, 1, BP_E_PARAM},
    {DENSE2 + PARTS + 8, 4, DEMO_NAMES - 8, BP_E_BOUNDS},
    {DENSE2 + PARTS + 12, 4, DEMO_NAMES - 2, BP_E_BOUNDS},
    {DEMO_M2 + 8, 4, 1, BP_E_PARAM},
    {DEMO_S2 + 2, 1, 31, BP_E_PARAM},
    {DEMO_W2 + 23, 1, 1, BP_E_PARAM},
    /* SOFTMAX */
    {SOFTMAX + 6, 2, 3, BP_E_SHAPE},
    {SOFTMAX + 6, 2, 0, BP_E_SHAPE},
    {SOFTMAX + PARAMS, 4, DEMO_EXP + 4, BP_E_BOUNDS},
    {SOFTMAX + PARAMS, 4, DEMO_EXP - 4, BP_E_PARAM},
    {SOFTMAX + PARAMS, 4, DEMO_EXP - 1, BP_E_ALIGN},
    {DEMO_EXP + 3, 1, 0x7E, BP_E_PARAM},
    {DEMO_EXP + 4 * 255 + 3, 1, 0x80, BP_E_PARAM},
};

static int open_changed(const change_t *change) {
    uint8_t *image = exact_bytes(DEMO_BYTES);
    make_demo_image(image);
    for (uint8_t i = 0; i < change->size; ++i) {
        image[change->offset + i] = (uint8_t)(change->value >> (8 * i));
    }
    seal(image);
    bp_model_t model, zero;
    memset(&model, 0xA5, sizeof model);
    memset(&zero, 0, sizeof zero);
    int status = bp_model_open(&model, image, DEMO_BYTES);
    CHECK(status == BP_OK || (model.image == NULL && model.n_ops == 0 && model.arena_bytes == 0));
    free(image);
    return status;
}

static void single_changes(void) {
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; ++i) {
        int status = open_changed(&changes[i]);
        if (status != changes[i].status) {
            fprintf(stderr, "change %zu at %u: %s, wanted %s\n", i, (unsigned)changes[i].offset,
                    bp_status_name(status), bp_status_name(changes[i].status));
            abort();
        }
    }
}

/* Changes that leave a good model. */
static void allowed_changes(void) {
    static const change_t allowed[] = {
        {BP_HEADER_FEATURES, 1, 0, BP_OK}, /* for the host */
        {HEADER + 20, 4, DEMO_ARENA + 1, BP_OK},
        {DEMO_NAMES, 1, 0xFF, BP_OK},
        {TENSOR + 36, 4, 0, BP_OK},
        {RESCALE + PARAMS + 8, 4, 0, BP_OK},
        {RESCALE + PARAMS + 12, 4, (uint32_t)-31, BP_OK},
        {RESCALE + PARAMS + 12, 4, 30, BP_OK},
        {DEMO_M1, 4, 0, BP_OK},
        {DEMO_S1, 1, 30, BP_OK},
        {DEMO_B1, 4, 0x80000000, BP_OK},
        {DEMO_W1, 1, 0x80, BP_OK},
        {DENSE1 + PARAMS + 4, 2, 127, BP_OK},
        {TENSOR + 3, 1, 1, BP_OK},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; ++i) {
        CHECK_EQ(open_changed(&allowed[i]), allowed[i].status);
    }
}

static void opened_fields(void) {
    uint8_t *image = exact_bytes(DEMO_BYTES);
    make_demo_image(image);
    bp_model_t model;
    bp_tensor_t tensor;
    bp_op_t op;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_OK);
    CHECK_EQ(model.arena_bytes, DEMO_ARENA);
    CHECK_EQ(model.image_bytes, DEMO_BYTES);
    CHECK_EQ(bp_model_input(&model, 0), 0);
    CHECK_EQ(bp_model_output(&model, 0), 5);
    bp_model_tensor(&tensor, &model, 3);
    CHECK_EQ(tensor.dtype, BP_DTYPE_INT8);
    CHECK_EQ(tensor.dims[1], 5);
    CHECK_EQ(tensor.offset, 8);
    CHECK_EQ(tensor.zero_point, -128);
    bp_model_op(&op, &model, 2);
    CHECK_EQ(op.code, BP_OP_DENSE_S8);
    CHECK_EQ(op.n_words, 7);
    CHECK_EQ(bp_op_input(&op, 0), 2);
    CHECK_EQ(bp_op_output(&op, 0), 3);
    CHECK(op.params == image + DEMO_DENSE1 + PARAMS);
    free(image);
}

/* Every shorter length is refused, more bytes than the image has are not. */
static void lengths(void) {
    bp_model_t model;
    for (uint32_t n = 0; n < DEMO_BYTES; ++n) {
        uint8_t whole[DEMO_BYTES + 4] __attribute__((aligned(4)));
        make_demo_image(whole);
        uint8_t *image = exact_bytes(n);
        memcpy(image, whole, n);
        CHECK_EQ(bp_model_open(&model, image, n), BP_E_TRUNCATED);
        free(image);
    }
    uint8_t *image = exact_bytes(DEMO_BYTES + 7);
    make_demo_image(image);
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES + 7), BP_OK);
    CHECK_EQ(model.image_bytes, DEMO_BYTES);
    memmove(image + 1, image, DEMO_BYTES);
    CHECK_EQ(bp_model_open(&model, image + 1, DEMO_BYTES), BP_E_ALIGN);
    free(image);
}

static void checksum(void) {
    bp_model_t model;
    uint8_t *image = exact_bytes(DEMO_BYTES);
    make_demo_image(image);
    for (uint32_t i = 12; i < DEMO_BYTES; i += 7) {
        image[i] ^= 1;
        CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_CRC);
        image[i] ^= 1;
    }
    free(image);
}

/* A model of one tensor of 16 MiB that is its own output, once and twice. */
static void largest_outputs(void) {
    bp_model_t model;
    uint8_t *image = exact_bytes(DEMO_BYTES);
    for (uint32_t n_outputs = 1; n_outputs <= 2; ++n_outputs) {
        make_demo_image(image);
        image[BP_HEADER_FEATURES] = 0;
        put_u32(image + 20, BP_MODEL_MAX_ARENA_BYTES);
        put_u32(image + 24, 2);
        put_u32(image + 28, 1 | n_outputs << 16);
        put_u32(image + DEMO_IO, 0);
        put_u16(image + DEMO_IO + 4, 0);
        put_u32(image + DEMO_TENSORS + 4, BP_MODEL_MAX_ARENA_BYTES / 6 / 2);
        put_u32(image + DEMO_TENSORS + 8, 4);
        put_u32(image + DEMO_TENSORS + 20, BP_MODEL_MAX_ARENA_BYTES / 6 / 2 * 12);
        seal(image);
        CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), n_outputs == 1 ? BP_OK : BP_E_ARENA);
    }
    free(image);
}

/* All ops of the library are in this build. */
static void names_and_features(void) {
    uint8_t features[BP_MODEL_FEATURES_BYTES];
    bp_op_features(features, sizeof features);
    for (uint32_t code = 0; code < BP_MODEL_MAX_OP_CODES; ++code) {
        int known = strcmp(bp_op_name((uint8_t)code), "?") != 0;
        CHECK_EQ(features[code / 8] >> code % 8 & 1, known);
    }
    CHECK(strcmp(bp_op_name(BP_OP_DENSE_S8), "dense") == 0);
}

int main(void) {
    names_and_features();
    opened_fields();
    lengths();
    checksum();
    single_changes();
    allowed_changes();
    largest_outputs();
    return 0;
}
