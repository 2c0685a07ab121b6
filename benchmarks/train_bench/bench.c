/* Counts the instructions of training samples: prints raw SysTick ticks of a loop of known length,
 * then of every sample "evaluate train", then the checksum of image and state, which the host's
 * must equal. train_bench.py makes what is embedded here, and figures of what is printed. */
#include <byteprop/crc32.h>
#include <byteprop/train.h>

#include "bare.h"
#include "calibration.h"
#include "train/state.h"

__asm__(".section .rodata\n"
        ".balign 4\n"
        "first_image: .incbin \"image.bin\"\n"
        ".balign 4\n"
        "first_state: .incbin \"state.bin\"\n"
        ".balign 4\n"
        "samples: .incbin \"samples.bin\"\n"
        ".balign 4\n"
        "labels: .incbin \"labels.bin\"\n"
        ".previous\n");
extern const uint8_t first_image[IMAGE_BYTES], first_state[STATE_BYTES];
extern const uint8_t samples[SAMPLES * INPUT_BYTES];
extern const uint16_t labels[SAMPLES];

#if BENCH_IN_FLASH
#define image first_image
enum { FLAGS = BP_TRAIN_IN_FLASH };
#else
static uint32_t image[(IMAGE_BYTES + 3) / 4];
enum { FLAGS = 0 };
#endif
static uint32_t memory[(MEMORY_BYTES + 3) / 4];
static uint32_t arena[(ARENA_BYTES + 3) / 4];
static uint8_t x[INPUT_BYTES];
static bp_train_t train;

static void calibrate(void) {
    bare_ticks_start();
    uint32_t start = bare_ticks();
    calibration();
    bare_number(bare_ticks() - start);
    bare_text("\n");
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
        to[i] = from[i];
    }
}

static int begin(void) {
    const bp_train_config_t config = {
        .seed = SEED, .batch = 1, .window = BENCH_WINDOW, .flags = FLAGS, .convs = BENCH_CONVS};
#if !BENCH_IN_FLASH
    copy((uint8_t *)image, first_image, IMAGE_BYTES);
#endif
    int status = bp_train_open(&train, (uint8_t *)image, IMAGE_BYTES, &config, (uint8_t *)memory,
                               sizeof memory, (uint8_t *)arena);
    copy((uint8_t *)memory, first_state, STATE_BYTES);
    return status == BP_OK ? bp_train_resume(&train) : status;
}

static int measure(uint32_t sample) {
    bp_train_result_t result;
    copy(x, samples + sample * INPUT_BYTES, INPUT_BYTES);
    bare_ticks_start();
    uint32_t start = bare_ticks();
    int status = bp_train_evaluate(&train, &result, x, labels[sample], NULL);
    uint32_t evaluated = bare_ticks();
    if (status == BP_OK) {
        status = bp_train_sample(&train, &result, x, labels[sample], NULL, LR_Q24);
    }
    bare_number(evaluated - start);
    bare_text(" ");
    bare_number(bare_ticks() - evaluated);
    bare_text("\n");
    return status;
}

int bare_main(void) {
    int status = begin();
    calibrate();
    for (uint32_t i = 0; i < SAMPLES && status == BP_OK; ++i) {
        status = measure(i);
    }
    bp_train_seal(&train);
    const uint32_t crc = BENCH_IN_FLASH ? 0 : bp_crc32(0, (const uint8_t *)image, IMAGE_BYTES);
    bare_number(bp_crc32(crc, (const uint8_t *)memory, STATE_BYTES));
    bare_text("\n");
    return status;
}
