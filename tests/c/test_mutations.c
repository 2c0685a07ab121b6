/* Changes of the demo image with a checksum that is right again: the reader refuses them, or the
 * model runs within its image, its arena, its inputs and its outputs; the sanitizers watch. */
#include <byteprop/infer.h>
#include <string.h>

#include "check.h"
#include "demo_image.h"

/* Values near the borders that the reader compares with. */
static uint32_t interesting(void) {
    static const uint32_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      8,
                                      12,
                                      13,
                                      16,
                                      64,
                                      127,
                                      128,
                                      255,
                                      256,
                                      1024,
                                      511,
                                      512,
                                      32767,
                                      32768,
                                      65532,
                                      65535,
                                      65536,
                                      DEMO_OPS,
                                      DEMO_RESCALE,
                                      DEMO_SOFTMAX,
                                      DEMO_DATA,
                                      DEMO_EXP,
                                      DEMO_NAMES,
                                      DEMO_BYTES,
                                      DEMO_BYTES - 4,
                                      BP_MODEL_MAX_ARENA_BYTES,
                                      0x3FFFFFFF,
                                      0x40000000,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFF0,
                                      0xFFFFFFFC,
                                      0xFFFFFFFF};
    return values[random_below(sizeof values / sizeof values[0])];
}

/* Mostly in the header and the records, where structure is. */
static void change_something(uint8_t *image) {
    uint32_t end = random_below(8) == 0 ? DEMO_BYTES : DEMO_DATA;
    uint32_t at = 16 + random_below(end - 16 - 4);
    switch (random_below(4)) {
    case 0:
        image[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 1:
        put_u32(image + (at & ~3u), interesting());
        break;
    case 2:
        put_u16(image + (at & ~1u), interesting());
        break;
    default:
        put_u32(image + (at & ~3u), get_u32(image + 16 + 4 * random_below((DEMO_DATA - 16) / 4)));
        break;
    }
}

static int run_if_good(const uint8_t *image) {
    bp_model_t model;
    int status = bp_model_open(&model, image, DEMO_BYTES);
    CHECK(status >= 0 && status < bp_status_count());
    if (status != BP_OK) {
        return 0;
    }
    uint32_t x_bytes = bp_infer_input_bytes(&model), y_bytes = bp_infer_output_bytes(&model);
    CHECK(x_bytes <= model.arena_bytes);
    if (model.arena_bytes > 1 << 16) {
        return 1;
    }
    uint8_t *arena = exact_bytes(model.arena_bytes);
    uint8_t *x = exact_bytes(2 * (size_t)x_bytes), *y = exact_bytes(2 * (size_t)y_bytes);
    memset(x, 0x5A, 2 * (size_t)x_bytes);
    /* Nothing that was not written is read: another arena gives the same answers. */
    memset(arena, 0x00, model.arena_bytes);
    bp_infer_reset(&model, arena);
    bp_infer_batch(y, x, 1, &model, arena);
    memset(arena, 0xFF, model.arena_bytes);
    bp_infer_reset(&model, arena);
    bp_infer_batch(y + (size_t)y_bytes, x, 1, &model, arena);
    CHECK(memcmp(y, y + (size_t)y_bytes, y_bytes) == 0);
    free(arena);
    free(x);
    free(y);
    return 1;
}

int main(void) {
    uint8_t *image = exact_bytes(DEMO_BYTES), *demo = exact_bytes(DEMO_BYTES);
    int good = 0, tried = 60000;
    make_demo_image(demo);
    for (int i = 0; i < tried; ++i) {
        memcpy(image, demo, DEMO_BYTES);
        for (uint32_t n = 1 + random_below(3); n != 0; --n) {
            change_something(image);
        }
        put_u32(image + 8, DEMO_BYTES);
        seal(image);
        good += run_if_good(image);
    }
    printf("%d of %d changed images are good models\n", good, tried);
    CHECK(good > tried / 50 && good < tried);
    free(image);
    free(demo);
    return 0;
}
