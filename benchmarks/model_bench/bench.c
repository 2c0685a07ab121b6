/* Runs one sample of a model and prints the ticks of each op, "op ticks", and the outputs' checksum
 * in the last line. The first line has the ticks of the calibration. model_bench.py makes figures of
 * them. */
#include <byteprop/crc32.h>
#include <byteprop/infer.h>

#include "bare.h"
#include "calibration.h"

/* Made by model_bench.py. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "model_image: .incbin \"image.bin\"\n"
        ".balign 4\n"
        "model_input: .incbin \"input.bin\"\n"
        ".previous\n");
extern const uint8_t model_image[IMAGE_BYTES], model_input[INPUT_BYTES];

static uint32_t arena[(ARENA_BYTES + 3) / 4];
static uint32_t last;

/* An op's ticks include the walk to it. The counter has 24 bits. */
static void print_ticks(void *context, uint16_t op) {
    (void)context;
    uint32_t now = bare_ticks();
    bare_number(op);
    bare_text(" ");
    bare_number((now - last) & COUNTER_MAX);
    bare_text("\n");
    last = bare_ticks();
}

static uint8_t *tensor(const bp_model_t *model, uint16_t index, uint32_t *bytes) {
    bp_tensor_t t;
    bp_model_tensor(&t, model, index);
    *bytes = t.elems;
    return (uint8_t *)arena + t.offset;
}

static void set_inputs(const bp_model_t *model) {
    const uint8_t *from = model_input;
    for (uint16_t i = 0; i < model->n_inputs; ++i) {
        uint32_t n;
        uint8_t *to = tensor(model, bp_model_input(model, i), &n);
        for (; n != 0; --n) {
            *to++ = *from++;
        }
    }
}

static uint32_t output_checksum(const bp_model_t *model) {
    uint32_t crc = 0;
    for (uint16_t i = 0; i < model->n_outputs; ++i) {
        uint32_t n;
        const uint8_t *from = tensor(model, bp_model_output(model, i), &n);
        crc = bp_crc32(crc, from, n);
    }
    return crc;
}

int bare_main(void) {
    const bp_infer_hooks_t hooks = {print_ticks, 0};
    bp_model_t model;
    const bp_status_t status = bp_model_open(&model, model_image, IMAGE_BYTES);
    if (status != BP_OK) {
        return status;
    }
    bare_ticks_start();
    calibration();
    bare_number(bare_ticks());
    bare_text("\n");
    bp_infer_reset(&model, (uint8_t *)arena);
    set_inputs(&model);
    bare_ticks_start();
    last = bare_ticks();
    bp_infer_run(&model, (uint8_t *)arena, UINT16_MAX, &hooks);
    bare_number(output_checksum(&model));
    bare_text("\n");
    return 0;
}
