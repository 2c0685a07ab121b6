/* A firmware that hears "hey byteprop": samples in, scores out. Static memory, no heap, no operating
 * system.
 *
 * Samples of 16 bits, low byte first, 16,000 per second, come over the serial line. After every three
 * windows (60 ms) it answers 4 bytes: the scores of quiet, speech and the wake word, as the model
 * gives them, and 1 if the wake word was detected, else 0. ../listen.py is the other end. */
#include <byteprop/audio.h>
#include <byteprop/infer.h>
#include <byteprop/model.h>
#include <byteprop/status.h>
#include <stdint.h>

#include "board.h"
#include "model.h"
#include "serial.h"

/* As in ../detector.py. */
enum { STEPS = 4, THRESHOLD = 700, PAUSE = 16 };
enum { WINDOWS = 3, CLASSES = 3, WAKE_WORD = 2, PIECE = 32 };

typedef char model_takes_three_windows[BP_MODEL_INPUT_BYTES == WINDOWS * BP_AUDIO_BANDS ? 1 : -1];
typedef char model_has_three_classes[BP_MODEL_OUTPUT_BYTES == CLASSES ? 1 : -1];

/* All the memory that inference needs, aligned by 4; the model's state is in it too. */
static uint32_t arena_words[(BP_MODEL_ARENA_BYTES + 3) / 4];
static bp_audio_t audio;

typedef struct {
    uint8_t last[STEPS]; /* scores of the wake word */
    uint8_t pause;
} detector_t;

/* Takes a score; whether it is a detection. */
static int is_detection(detector_t *detector, int8_t score) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i + 1 < STEPS; ++i) {
        detector->last[i] = detector->last[i + 1];
        sum += detector->last[i];
    }
    detector->last[STEPS - 1] = (uint8_t)(score + 128);
    sum += detector->last[STEPS - 1];
    if (detector->pause != 0) {
        --detector->pause;
        return 0;
    }
    if (sum < THRESHOLD) {
        return 0;
    }
    detector->pause = PAUSE;
    return 1;
}

/* Runs a step of the model, and answers. */
static void step(const bp_model_t *model, detector_t *detector) {
    uint8_t *arena = (uint8_t *)arena_words;
    uint8_t answer[CLASSES + 1];
    bp_infer_run(model, arena, model->n_ops, 0);
    for (uint32_t i = 0; i < CLASSES; ++i) {
        answer[i] = arena[BP_MODEL_OUTPUT_OFFSET + i];
    }
    answer[CLASSES] = (uint8_t)is_detection(detector, (int8_t)answer[WAKE_WORD]);
    serial_write(answer, sizeof answer);
}

static void listen(const bp_model_t *model) {
    int8_t *input = (int8_t *)arena_words + BP_MODEL_INPUT_OFFSET;
    detector_t detector = {{0}, 0};
    uint8_t bytes[2 * PIECE];
    int16_t samples[PIECE];
    uint32_t windows = 0;
    while (serial_read(bytes, sizeof bytes)) {
        for (uint32_t i = 0; i < PIECE; ++i) {
            samples[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
        }
        for (uint32_t taken = 0; taken < PIECE;) {
            taken += bp_audio_feed(&audio, samples + taken, PIECE - taken);
            if (bp_audio_is_full(&audio)) {
                bp_audio_features(&audio, input + windows * BP_AUDIO_BANDS);
                if (++windows == WINDOWS) {
                    windows = 0;
                    step(model, &detector);
                }
            }
        }
    }
}

int main(void) {
    board_init();
    serial_init();
    bp_model_t model;
    const bp_status_t status = bp_model_open(&model, bp_model_image, bp_model_image_bytes);
    if (status != BP_OK) {
        board_write(bp_status_text(status));
        return 1;
    }
    bp_infer_reset(&model, (uint8_t *)arena_words);
    bp_audio_reset(&audio);
    listen(&model);
    return 0;
}
