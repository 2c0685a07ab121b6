/* The runner's commands. Their answers are fixed by the benchmark; only errors, which begin with
 * "e-", are free. */
#include "command.h"

#include "clock.h"
#include "network.h"
#include "say.h"
#include "settings.h"
#include "word.h"

#define DEFAULT_WARMUPS 10u
#define PRINTED_PER_LINE 8u

void mlperf_ready(void) {
    MLPERF_SAY("m-ready" MLPERF_END);
}

void mlperf_timestamp(void) {
    const uint64_t now = mlperf_microseconds();
    MLPERF_SAY("m-lap-us-");
    mlperf_say_number(now);
    MLPERF_SAY(MLPERF_END);
}

static void close_bracket(void) {
    MLPERF_SAY("]" MLPERF_END);
}

static void name(const char *rest) {
    (void)rest;
    MLPERF_SAY("m-name-dut-[byteprop " BP_BOARD_NAME "]" MLPERF_END);
}

static void profile(const char *rest) {
    (void)rest;
    MLPERF_SAY("m-profile-[ULPMark for tinyML Firmware V0.0.1]" MLPERF_END
               "m-model-[" BP_MLPERF_MODEL "]" MLPERF_END);
}

static void timestamp(const char *rest) {
    (void)rest;
    mlperf_timestamp();
}

static void results(const char *rest) {
    (void)rest;
    MLPERF_SAY("m-results-[");
    for (uint16_t i = 0; i < mlperf_n_results(); i++) {
        if (i != 0) {
            MLPERF_SAY(",");
        }
        mlperf_say_milli(mlperf_result(i));
    }
    close_bracket();
}

static void buffer_load(const char *rest) {
    uint32_t n;
    if (!mlperf_take_number(&rest, &n) || !mlperf_buffer_begin(n)) {
        MLPERF_SAY("e-[Expected db load with 1 to ");
        mlperf_say_number(MLPERF_BUFFER_BYTES);
        MLPERF_SAY(" bytes");
        close_bracket();
        return;
    }
    MLPERF_SAY("m-[Expecting ");
    mlperf_say_number(n);
    MLPERF_SAY(" bytes]" MLPERF_END);
}

static void buffer_print(void) {
    const uint32_t n = mlperf_buffer_used();
    for (uint32_t i = 0; i < n; i++) {
        if (i % PRINTED_PER_LINE == 0) {
            MLPERF_SAY("m-buffer-");
        }
        mlperf_say_hex(mlperf_buffer_at(i), 1);
        if (i % PRINTED_PER_LINE == PRINTED_PER_LINE - 1u || i == n - 1u) {
            MLPERF_SAY(MLPERF_END);
        } else {
            MLPERF_SAY("-");
        }
    }
}

/* Digits after the last expected byte are ignored. */
static void buffer_digits(const char *digits, uint8_t n) {
    if (n % 2u != 0) {
        MLPERF_SAY("e-[Expected two hexadecimal digits per byte]" MLPERF_END);
        return;
    }
    for (uint8_t i = 0; i < n; i = (uint8_t)(i + 2u)) {
        const int16_t byte = mlperf_hex_byte(digits + i);
        if (byte < 0) {
            MLPERF_SAY("e-[Expected hexadecimal digits, got ");
            mlperf_say_word(digits + i, 2);
            close_bracket();
            return;
        }
        if (!mlperf_buffer_put((uint8_t)byte)) {
            MLPERF_SAY("e-[Expected db load first]" MLPERF_END);
            return;
        }
        if (mlperf_buffer_used() == mlperf_buffer_size()) {
            MLPERF_SAY("m-load-done" MLPERF_END);
            return;
        }
    }
}

static void buffer(const char *rest) {
    static const char load[] BP_TABLE = "load";
    static const char print[] BP_TABLE = "print";
    const char *word;
    const uint8_t n = mlperf_take_word(&rest, &word);
    if (n == 0) {
        MLPERF_SAY("e-[Expected db load N, db print, or db with hexadecimal digits]" MLPERF_END);
    } else if (mlperf_is_word(word, n, load)) {
        buffer_load(rest);
    } else if (mlperf_is_word(word, n, print)) {
        buffer_print();
    } else {
        buffer_digits(word, n);
    }
}

static void run(uint32_t n) {
    for (; n != 0; n--) {
        mlperf_infer();
        mlperf_clock_update();
    }
}

static void infer_times(uint32_t n, uint32_t warmups) {
    MLPERF_SAY("m-warmup-start-");
    mlperf_say_number(warmups);
    MLPERF_SAY(MLPERF_END);
    run(warmups);
    MLPERF_SAY("m-warmup-done" MLPERF_END "m-infer-start-");
    mlperf_say_number(n);
    MLPERF_SAY(MLPERF_END);
    mlperf_timestamp();
    run(n);
    mlperf_timestamp();
    MLPERF_SAY("m-infer-done" MLPERF_END);
    results("");
}

static void infer(const char *rest) {
    uint32_t n = 1;
    uint32_t warmups = DEFAULT_WARMUPS;
    const int has_n = !mlperf_is_end(rest);
    if (has_n && (!mlperf_take_number(&rest, &n) || n == 0)) {
        MLPERF_SAY("e-[Expected at least 1 inference]" MLPERF_END);
    } else if (!mlperf_is_end(rest) && !mlperf_take_number(&rest, &warmups)) {
        MLPERF_SAY("e-[Expected a number of warmups]" MLPERF_END);
    } else if (!mlperf_take_input()) {
        MLPERF_SAY("e-[Expected an input of ");
        mlperf_say_number(MLPERF_BUFFER_BYTES);
        MLPERF_SAY(" bytes, got ");
        mlperf_say_number(mlperf_buffer_used());
        close_bracket();
    } else {
        infer_times(n, warmups);
    }
}

static void help(const char *rest) {
    (void)rest;
    MLPERF_SAY("name%, profile%, timestamp%, results%, help%" MLPERF_END
               "db load N%    expect N bytes of an input" MLPERF_END
               "db HEX%       take bytes, two digits each" MLPERF_END
               "db print%     show the bytes" MLPERF_END
               "infer N W%    W inferences to warm up, then N timed ones" MLPERF_END);
}

typedef void command_t(const char *rest);

#define NAME_BYTES 10
static const char names[][NAME_BYTES] BP_TABLE = {
    "name", "profile", "timestamp", "db", "infer", "results", "help",
};
static command_t *const commands[] BP_TABLE = {
    name, profile, timestamp, buffer, infer, results, help,
};
typedef char
    every_command_has_a_name[sizeof names / NAME_BYTES == sizeof commands / sizeof *commands ? 1
                                                                                             : -1];

static void unknown(const char *word, uint8_t n) {
    MLPERF_SAY("e-[Unknown command: ");
    mlperf_say_word(word, n);
    close_bracket();
}

void mlperf_command(const char *text) {
    const char *word;
    const uint8_t n = mlperf_take_word(&text, &word);
    uint8_t i = 0;
    while (i < sizeof names / NAME_BYTES && !mlperf_is_word(word, n, names[i])) {
        i++;
    }
    if (i < sizeof names / NAME_BYTES) {
        BP_TABLE_POINTER(commands + i)(text);
    } else {
        unknown(word, n);
    }
    mlperf_ready();
}
