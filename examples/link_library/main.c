/* A firmware of your own that asks a model: static memory, no heap, no operating system.
 *
 * model.h holds the model and samples.h some images with the answers that a PC gave; make_headers.py
 * wrote both. The program prints the class of each image and says whether all answers are the same,
 * byte for byte. */
#include <byteprop/infer.h>
#include <byteprop/model.h>
#include <byteprop/status.h>
#include <stdint.h>

#include "board.h"
#include "model.h"
#include "samples.h"

/* All the memory that inference needs, aligned by 4. */
static uint32_t arena_words[(BP_MODEL_ARENA_BYTES + 3) / 4];

static void write_number(uint32_t number) {
    char text[11];
    char *p = text + sizeof text - 1;
    *p = '\0';
    do {
        *--p = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    board_write(p);
}

/* Runs one image. The result stays in the arena until the next run. */
static const int8_t *classify(const bp_model_t *model, const uint8_t *image) {
    uint8_t *arena = (uint8_t *)arena_words;
    for (uint32_t i = 0; i < BP_MODEL_INPUT_BYTES; ++i) {
        arena[BP_MODEL_INPUT_OFFSET + i] = BP_ROM_U8(image + i);
    }
    bp_infer_run(model, arena, model->n_ops, 0);
    return (const int8_t *)(arena + BP_MODEL_OUTPUT_OFFSET);
}

static uint32_t index_of_largest(const int8_t *scores) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < BP_MODEL_OUTPUT_BYTES; ++i) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

static uint32_t count_differences(const int8_t *scores, const uint8_t *expected) {
    uint32_t differences = 0;
    for (uint32_t i = 0; i < BP_MODEL_OUTPUT_BYTES; ++i) {
        differences += (uint8_t)scores[i] != BP_ROM_U8(expected + i);
    }
    return differences;
}

static uint32_t classify_all(const bp_model_t *model) {
    uint32_t differences = 0;
    for (uint32_t i = 0; i < SAMPLES; ++i) {
        const int8_t *scores = classify(model, sample_inputs[i]);
        board_write("image ");
        write_number(i);
        board_write(": class ");
        write_number(index_of_largest(scores));
        board_write("\n");
        differences += count_differences(scores, sample_outputs[i]);
    }
    return differences;
}

int main(void) {
    board_init();
    bp_model_t model;
    int status = bp_model_open(&model, bp_model_image, bp_model_image_bytes);
    if (status != BP_OK) {
        board_write(bp_status_text(status));
        board_write("\n");
        return 1;
    }
    uint32_t differences = classify_all(&model);
    write_number(SAMPLES * BP_MODEL_OUTPUT_BYTES - differences);
    board_write(" of ");
    write_number(SAMPLES * BP_MODEL_OUTPUT_BYTES);
    board_write(" bytes as on the PC\n");
    return differences != 0;
}
