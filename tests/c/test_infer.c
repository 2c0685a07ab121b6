/* The op walk over the demo image against the kernels called by hand. */
#include <byteprop/infer.h>
#include <byteprop/kernels.h>
#include <string.h>

#include "check.h"
#include "demo_image.h"

static const bp_rescale_t rescale = {1 << 30, 1, 1, 0, 128, 0, -128, 127};

static bp_dense_s8_t dense_of(const uint8_t *image, int second) {
    const bp_dense_s8_t dense[2] = {{image + DEMO_W1, image + DEMO_B1, image + DEMO_M1,
                                     image + DEMO_S1, 6, 5, 8, 0, -128, -128, 127, 0},
                                    {image + DEMO_W2, image + DEMO_B2, image + DEMO_M2,
                                     image + DEMO_S2, 5, 3, 8, 1, 10, -128, 127, 0}};
    return dense[second];
}

static void by_hand(uint8_t *y, const uint8_t *x, const uint8_t *image) {
    uint8_t a[DEMO_INPUT], b[5];
    bp_dense_s8_t dense1 = dense_of(image, 0), dense2 = dense_of(image, 1);
    bp_rescale_8(a, x, DEMO_INPUT, &rescale);
    bp_dense_s8((int8_t *)b, (const int8_t *)a, &dense1);
    bp_dense_s8((int8_t *)y, (const int8_t *)b, &dense2);
    bp_softmax_s8((int8_t *)y, (const int8_t *)y, image + DEMO_EXP, DEMO_OUTPUT);
}

static void batches(const bp_model_t *model) {
    enum { N = 500 };
    uint8_t *arena = exact_bytes(model->arena_bytes);
    uint8_t *x = exact_bytes(N * DEMO_INPUT), *y = exact_bytes(N * DEMO_OUTPUT);
    for (size_t i = 0; i < N * DEMO_INPUT; ++i) {
        x[i] = (uint8_t)random_u32();
    }
    bp_infer_batch(y, x, N, model, arena);
    int differing = 0;
    for (size_t i = 0; i < N; ++i) {
        uint8_t wanted[DEMO_OUTPUT];
        by_hand(wanted, x + i * DEMO_INPUT, model->image);
        CHECK(memcmp(y + i * DEMO_OUTPUT, wanted, DEMO_OUTPUT) == 0);
        differing += memcmp(y, wanted, DEMO_OUTPUT) != 0;
    }
    CHECK(differing > N / 2); /* the model's answer depends on its input */
    bp_infer_batch(NULL, NULL, 0, model, arena);
    free(arena);
    free(x);
    free(y);
}

static void after_op(void *context, uint16_t op_index) {
    uint16_t *seen = context;
    CHECK_EQ(op_index, *seen);
    ++*seen;
}

static void partial_runs(const bp_model_t *model) {
    const uint8_t x[DEMO_INPUT] = {0, 255, 128, 7, 99, 200};
    uint8_t *arena = exact_bytes(model->arena_bytes);
    for (uint16_t n_ops = 0; n_ops <= 7; ++n_ops) {
        uint16_t seen = 0;
        const bp_infer_hooks_t hooks = {after_op, &seen};
        memcpy(arena, x, DEMO_INPUT);
        bp_infer_run(model, arena, n_ops, &hooks);
        CHECK_EQ(seen, n_ops < 5 ? n_ops : 5);
        uint8_t a[DEMO_INPUT], b[5];
        bp_rescale_8(a, x, DEMO_INPUT, &rescale);
        bp_dense_s8_t dense1 = dense_of(model->image, 0);
        bp_dense_s8((int8_t *)b, (const int8_t *)a, &dense1);
        if (n_ops == 0) {
            CHECK(memcmp(arena, x, DEMO_INPUT) == 0);
        } else if (n_ops <= 3) {
            CHECK(memcmp(arena, a, DEMO_INPUT) == 0);
        }
        CHECK(n_ops < 3 || memcmp(arena + 8, b, 5) == 0);
    }
    free(arena);
}

static void ops_alone(const bp_model_t *model) {
    uint8_t x[DEMO_INPUT] = {1, 2, 250, 128, 64, 9}, wanted[DEMO_OUTPUT];
    by_hand(wanted, x, model->image);
    uint8_t *arena = exact_bytes(model->arena_bytes);
    for (uint16_t i = 0; i < 5; ++i) {
        bp_tensor_t in, out;
        bp_model_tensor(&in, model, i);
        bp_model_tensor(&out, model, (uint16_t)(i + 1));
        memset(arena, 0x55, model->arena_bytes);
        memcpy(arena + in.offset, x, in.elems);
        bp_infer_op(model, arena, i);
        memcpy(x, arena + out.offset, out.elems);
    }
    CHECK(memcmp(x, wanted, DEMO_OUTPUT) == 0);
    free(arena);
}

/* Two rows through one dense layer are the layer on each row. */
static void rows_of_a_dense_layer(uint8_t *image) {
    make_demo_image(image);
    for (uint32_t t = 0; t < 6; ++t) {
        uint8_t *tensor = image + DEMO_TENSORS + t * BP_MODEL_TENSOR_BYTES;
        put_u32(tensor + 4, 2);
        put_u32(tensor + 20, 2 * get_u32(tensor + 20));
    }
    put_u32(image + DEMO_TENSORS + 3 * BP_MODEL_TENSOR_BYTES + 24, 12);
    put_u32(image + 20, 12 + 10);
    seal(image);
    bp_model_t model;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_OK);
    CHECK_EQ(bp_infer_input_bytes(&model), 2 * DEMO_INPUT);
    uint8_t *arena = exact_bytes(model.arena_bytes), y[2 * DEMO_OUTPUT], wanted[2 * DEMO_OUTPUT];
    const uint8_t x[2 * DEMO_INPUT] = {3, 1, 4, 1, 59, 26, 255, 35, 89, 7, 93, 2};
    bp_infer_batch(y, x, 1, &model, arena);
    by_hand(wanted, x, image);
    by_hand(wanted + DEMO_OUTPUT, x + DEMO_INPUT, image);
    CHECK(memcmp(y, wanted, sizeof wanted) == 0);
    free(arena);
}

/* A RESHAPE between different places copies. Input and output are swapped for two of each. */
static void several_inputs_and_a_copy(uint8_t *image) {
    make_demo_image(image);
    put_u16(image + 26, 1); /* one op: */
    put_u32(image + DEMO_OPS, DEMO_RESHAPE);
    image[BP_HEADER_FEATURES] = 1u << BP_OP_RESHAPE;
    put_u16(image + 28, 2); /* inputs 1 and 3, outputs 3 and 2 */
    put_u16(image + 30, 2);
    put_u16(image + DEMO_IO, 1);
    put_u16(image + DEMO_IO + 2, 3);
    put_u16(image + DEMO_IO + 4, 3);
    put_u16(image + DEMO_IO + 6, 2);
    put_u32(image + DEMO_TENSORS + 2 * BP_MODEL_TENSOR_BYTES + 24, 16);
    put_u32(image + 20, 22);
    seal(image);
    bp_model_t model;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_OK);
    CHECK_EQ(bp_infer_input_bytes(&model), 11);
    CHECK_EQ(bp_infer_output_bytes(&model), 11);
    uint8_t *arena = exact_bytes(model.arena_bytes), y[11];
    const uint8_t x[11] = {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50};
    const uint8_t wanted[11] = {10, 20, 30, 40, 50, 1, 2, 3, 4, 5, 6};
    bp_infer_batch(y, x, 1, &model, arena);
    CHECK(memcmp(y, wanted, sizeof wanted) == 0);
    free(arena);
    put_u16(image + DEMO_IO + 2, 1); /* the same input twice */
    seal(image);
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_OVERLAP);
}

/* Output = state, then state = input: what comes out is the sample before. */
static void state_stays(uint8_t *image) {
    make_demo_image(image);
    put_u16(image + BP_HEADER_N_OPS, 2);
    put_u32(image + DEMO_OPS, DEMO_RESHAPE);
    put_u32(image + DEMO_OPS + 4, DEMO_RESHAPE + 8);
    memcpy(image + DEMO_RESHAPE + 8, image + DEMO_RESHAPE, 8);
    put_u16(image + DEMO_RESHAPE + 4, 1); /* tensor 1 is the state, 2 the output, 0 the input */
    put_u16(image + DEMO_RESHAPE + 12, 0);
    put_u16(image + DEMO_RESHAPE + 14, 1);
    put_u16(image + DEMO_IO + 2, 2);
    image[BP_HEADER_FEATURES] = 1u << BP_OP_RESHAPE;
    image[DEMO_TENSORS] = BP_DTYPE_INT8;
    put_u32(image + DEMO_TENSORS + BP_TENSOR_ZERO_POINT, 0);
    uint8_t *state = image + DEMO_TENSORS + BP_MODEL_TENSOR_BYTES;
    state[BP_TENSOR_KIND] = BP_KIND_STATE;
    put_u32(state + BP_TENSOR_OFFSET, 16);
    put_u32(state + BP_TENSOR_ZERO_POINT, (uint32_t)-3);
    put_u32(image + DEMO_TENSORS + 2 * BP_MODEL_TENSOR_BYTES + BP_TENSOR_OFFSET, 8);
    put_u32(image + BP_HEADER_ARENA_BYTES, 22);
    seal(image);
    bp_model_t model;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_OK);
    uint8_t *arena = exact_bytes(model.arena_bytes), y[2 * DEMO_INPUT];
    const uint8_t x[2 * DEMO_INPUT] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    memset(arena, 0x55, model.arena_bytes);
    bp_infer_reset(&model, arena);
    bp_infer_batch(y, x, 2, &model, arena);
    for (uint32_t i = 0; i < DEMO_INPUT; ++i) {
        CHECK_EQ((int8_t)y[i], -3);
        CHECK_EQ(y[DEMO_INPUT + i], x[i]);
    }
    free(arena);
    put_u32(state + BP_TENSOR_OFFSET, 4); /* the end of the input */
    seal(image);
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_OVERLAP);
}

/* A constant is in the image, and an op that does not take one refuses it. */
static void constants(uint8_t *image) {
    make_demo_image(image);
    uint8_t *tensor = image + DEMO_TENSORS + 2 * BP_MODEL_TENSOR_BYTES;
    tensor[BP_TENSOR_KIND] = BP_KIND_CONSTANT;
    put_u32(tensor + BP_TENSOR_OFFSET, DEMO_W1);
    seal(image);
    bp_model_t model;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_KIND); /* an op writes it */
    put_u16(image + DEMO_RESHAPE + 6, 4);
    put_u32(image + DEMO_TENSORS + 4 * BP_MODEL_TENSOR_BYTES + 8, 6);
    put_u32(image + DEMO_TENSORS + 4 * BP_MODEL_TENSOR_BYTES + 20, 6);
    seal(image);
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_KIND); /* dense reads it */
    put_u32(tensor + BP_TENSOR_OFFSET, DEMO_NAMES);
    seal(image);
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_E_BOUNDS);
}

int main(void) {
    uint8_t *image = exact_bytes(DEMO_BYTES);
    make_demo_image(image);
    bp_model_t model;
    CHECK_EQ(bp_model_open(&model, image, DEMO_BYTES), BP_OK);
    CHECK_EQ(bp_infer_input_bytes(&model), DEMO_INPUT);
    CHECK_EQ(bp_infer_output_bytes(&model), DEMO_OUTPUT);
    batches(&model);
    partial_runs(&model);
    ops_alone(&model);
    rows_of_a_dense_layer(image);
    several_inputs_and_a_copy(image);
    state_stays(image);
    constants(image);
    free(image);
    return 0;
}
