/* Counts the instructions of the kernels, whole layers with requantisation, and prints raw SysTick
 * ticks of 1 and of REPEATS calls: "name ticks_1 ticks_repeats". dense_bench.py makes figures of
 * them. */
#include <byteprop/kernels.h>

#include "bare.h"
#include "calibration.h"

enum { MAX_N_IN = 784, MAX_N_OUT = 128, WEIGHT_BYTES = 640 * 128, TABLE_BYTES = 1024 };

/* Random bytes, made by dense_bench.py. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "random_weights: .incbin \"weights.bin\"\n"
        ".balign 16\n"
        "random_bias: .incbin \"bias.bin\"\n"
        ".balign 16\n"
        "exp_table: .incbin \"exp_table.bin\"\n"
        ".balign 4\n"
        "multiplier: .word 0x5A5A5A5A\n"
        "left_shift: .byte 0xF7\n" /* -9 */
        ".previous\n");
extern const uint8_t random_weights[WEIGHT_BYTES], random_bias[4 * MAX_N_OUT];
extern const uint8_t exp_table[TABLE_BYTES], multiplier[4], left_shift[1];

static int8_t input[MAX_N_IN];
static int8_t hidden[MAX_N_OUT];
static int8_t output[MAX_N_OUT];

static bp_dense_s8_t layer(uint16_t n_in, uint16_t n_out) {
    bp_dense_s8_t p = {
        .weights = random_weights,
        .bias = random_bias,
        .mult_q31 = multiplier,
        .lshift = left_shift,
        .n_in = n_in,
        .n_out = n_out,
        .row_stride = (uint16_t)((n_in + 3) / 4 * 4),
        .y_zp = -3,
        .y_min = -128,
        .y_max = 127,
    };
    return p;
}

static void dense(uint16_t n_in, uint16_t n_out) {
    bp_dense_s8_t p = layer(n_in, n_out);
    bp_dense_s8(output, input, &p);
}

static void dense_784x20(void) {
    dense(784, 20);
}

static void dense_640x128(void) {
    dense(640, 128);
}

static void dense_128x8(void) {
    dense(128, 8);
}

static void dense_24x128(void) {
    dense(24, 128);
}

static void dense_20x10(void) {
    dense(20, 10);
}

static void softmax_10(void) {
    bp_softmax_s8(output, input, exp_table, 10);
}

static void net_784_20_10(void) {
    bp_dense_s8_t first = layer(784, 20);
    bp_dense_s8_t second = layer(20, 10);
    bp_dense_s8(hidden, input, &first);
    bp_dense_s8(output, hidden, &second);
    bp_softmax_s8(output, output, exp_table, 10);
}

static uint32_t ticks_of(void (*work)(void), uint32_t repeats) {
    uint32_t start = bare_ticks();
    for (uint32_t i = 0; i < repeats; ++i) {
        work();
    }
    return bare_ticks() - start;
}

static void measure(const char *name, void (*work)(void)) {
    bare_ticks_start();
    uint32_t once = ticks_of(work, 1);
    bare_ticks_start();
    uint32_t repeated = ticks_of(work, REPEATS);
    bare_text(name);
    bare_text(" ");
    bare_number(once);
    bare_text(" ");
    bare_number(repeated);
    bare_text("\n");
}

int bare_main(void) {
    for (uint32_t i = 0, random = 1; i < MAX_N_IN; ++i) {
        random = random * 1664525 + 1013904223;
        input[i] = (int8_t)(random >> 24);
    }
    measure("calibration", calibration);
    measure("dense 784x20", dense_784x20);
    measure("dense 640x128", dense_640x128);
    measure("dense 128x8", dense_128x8);
    measure("dense 24x128", dense_24x128);
    measure("dense 20x10", dense_20x10);
    measure("softmax 10", softmax_10);
    measure("net 784-20-10", net_784_20_10);
    return 0;
}
