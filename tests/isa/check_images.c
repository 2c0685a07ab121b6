/* Runs model images, the arguments, by every instruction set of the CPU and compares with the plain C:
 * random samples, and samples of the lowest and the highest values. Prints a line for each set: its
 * name, how many images had ops that ran from copies, and how many bytes were compared. */
#include <byteprop/infer.h>
#include <byteprop/kernels.h>
#include <byteprop/prepared.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 4 };

static void *memory(size_t bytes) {
    char *raw = malloc(bytes + BP_PREPARED_ALIGNMENT);
    if (raw == NULL) {
        exit(2);
    }
    return raw + (BP_PREPARED_ALIGNMENT - (size_t)raw % BP_PREPARED_ALIGNMENT);
}

static uint8_t *read_image(const char *path, uint32_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        exit(2);
    }
    *bytes = (uint32_t)ftell(file);
    rewind(file);
    uint8_t *image = memory(*bytes);
    if (fread(image, 1, *bytes, file) != *bytes) {
        exit(2);
    }
    fclose(file);
    return image;
}

/* Two samples of random bytes, one of lowest values, one of lowest and highest. */
static void fill(uint8_t *x, uint32_t sample_bytes) {
    for (uint32_t i = 0; i < SAMPLES * sample_bytes; ++i) {
        const uint32_t sample = i / sample_bytes;
        const int bits = rand();
        x[i] = sample < 2 ? (uint8_t)(bits >> 7) : sample == 3 && bits & 0x100 ? 127 : 128;
    }
}

/* Bytes that were compared; *copied: there were ops that ran from copies. */
static uint32_t check(const char *path, const char *isa, int *copied) {
    uint32_t image_bytes;
    bp_model_t model;
    const uint8_t *image = read_image(path, &image_bytes);
    if (bp_model_open(&model, image, image_bytes) != BP_OK || bp_isa_select("portable") != BP_OK) {
        exit(2);
    }
    const uint32_t in = bp_infer_input_bytes(&model), out = bp_infer_output_bytes(&model);
    uint8_t *x = memory(SAMPLES * in);
    uint8_t *expected = memory(SAMPLES * out), *y = memory(SAMPLES * out);
    fill(x, in);
    bp_infer_batch(expected, x, SAMPLES, &model, memory(model.arena_bytes));
    if (bp_isa_select(isa) != BP_OK) {
        exit(2);
    }
    uint8_t *prepared = memory(bp_prepare(NULL, &model));
    (void)bp_prepare(prepared, &model);
    *copied = bp_prepared_ops(prepared) != 0;
    bp_prepared_batch(y, x, SAMPLES, prepared, memory(bp_prepared_arena_bytes(prepared)));
    if (memcmp(y, expected, SAMPLES * out) != 0) {
        printf("different: %s %s\n", isa, path);
        exit(1);
    }
    return SAMPLES * out;
}

int main(int argc, char **argv) {
    const char *isa;
    for (int i = 0; (isa = bp_isa_available(i)) != NULL; ++i) {
        uint32_t bytes = 0, images = 0;
        for (int k = 1; k < argc; ++k) {
            int copied;
            bytes += check(argv[k], isa, &copied);
            images += (uint32_t)copied;
        }
        printf("%s %u %u\n", isa, (unsigned)images, (unsigned)bytes);
    }
    return 0;
}
