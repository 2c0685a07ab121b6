/* Rows and taps that are weighed and summed up against sums of 64 bits. */
#include "check.h"

#include "isa/isa.h"

enum { MOST = 70, CASES = 4, GUARD = 12345 };

static uint32_t state;

static uint32_t below(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

/* Random bytes, or only the lowest and the highest. */
static const int8_t *rows_of(check_buffer_t *buffer, uint32_t bytes, uint32_t pattern) {
    int8_t *rows = (int8_t *)buffer(1, bytes);
    for (uint32_t i = 0; i < bytes; ++i) {
        const int8_t extreme = pattern == 1 || below(2) ? -128 : 127;
        rows[i] = pattern == 0 ? (int8_t)(uint8_t)below(256) : extreme;
    }
    return rows;
}

static int32_t any_factor(uint32_t pattern) {
    return pattern == 1 ? -32768 : below(8) == 0 ? 32767 : (int32_t)below(65536) - 32768;
}

/* Terms of rows anywhere in memory, the last of which ends where the buffer does. */
static uint32_t fill_terms(bp_term_t *terms, uint32_t most, check_buffer_t *buffer, uint32_t n,
                           uint32_t pattern) {
    const uint32_t count = pattern == 1 ? most : below(most + 1);
    const uint32_t bytes = n + below(CHECK_WEIGHT_BYTES / 8);
    const int8_t *rows = rows_of(buffer, bytes, pattern);
    for (uint32_t i = 0; i < count; ++i) {
        terms[i].row = rows + (i == 0 ? bytes - n : below(bytes - n + 1));
        terms[i].factor = any_factor(pattern);
    }
    terms[count].row = NULL;
    return count;
}

static int32_t expected(const bp_term_t *terms, uint32_t count, uint32_t at, int weighed) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sum += (int64_t)(weighed ? terms[i].factor : 1) * terms[i].row[at];
    }
    return (int32_t)(uint32_t)(uint64_t)sum;
}

/* Everything is added to what the sums are, one of which is none of theirs. */
static uint32_t check_terms(const bp_term_t *terms, uint32_t count, uint32_t n, int weighed,
                            check_report_t *report) {
    const int8_t *rows[BP_SUMMED_ROWS + 1];
    int32_t sums[MOST + 1], before[MOST];
    for (uint32_t i = 0; i < n; ++i) {
        before[i] = sums[i] = (int32_t)below(1000) - 500;
    }
    sums[n] = GUARD;
    if (weighed) {
        BP_ISA_WEIGH_ROWS(sums, terms, n);
    } else {
        for (uint32_t i = 0; i <= count; ++i) {
            rows[i] = terms[i].row;
        }
        BP_ISA_SUM_ROWS(sums, rows, n);
    }
    for (uint32_t i = 0; i < n; ++i) {
        const uint32_t sum = (uint32_t)expected(terms, count, i, weighed) + (uint32_t)before[i];
        if ((uint32_t)sums[i] != sum) {
            report(weighed ? "weighed rows, n" : "summed rows, n", n);
        }
    }
    if (sums[n] != GUARD) {
        report("rows, beyond the sums, n", n);
    }
    return n;
}

/* Three rows of three values each, the last of which ends where the buffer does. */
static uint32_t check_taps(check_buffer_t *buffer, uint32_t number, check_report_t *report) {
    int32_t sums[10] = {1, -2, 3, -4, 5, -6, 7, -8, 9, GUARD};
    bp_term_t terms[BP_TERMS + 1];
    const uint32_t pitch = 3 + below(20);
    const uint32_t count = fill_terms(terms, BP_TERMS, buffer, 2 * pitch + 3, number % 3);
    BP_ISA_WEIGH_TAPS(sums, terms, pitch);
    for (uint32_t k = 0; k < 9; ++k) {
        const int32_t before = (int32_t)(k % 2 == 0 ? k + 1 : 0u - (k + 1));
        const uint32_t sum = (uint32_t)expected(terms, count, k / 3 * pitch + k % 3, 1);
        if ((uint32_t)sums[k] != sum + (uint32_t)before) {
            report("weighed taps, pitch", pitch);
        }
    }
    if (sums[9] != GUARD) {
        report("taps, beyond the sums, pitch", pitch);
    }
    return 9;
}

uint32_t check_rows(check_buffer_t *buffer, check_report_t *report) {
    bp_term_t terms[BP_SUMMED_ROWS + 1];
    uint32_t comparisons = 0, count;
    state = 3;
    for (uint32_t n = 1; n <= MOST; ++n) {
        for (uint32_t number = 0; number < CASES; ++number) {
            count = fill_terms(terms, BP_TERMS, buffer, n, number % 3);
            comparisons += check_terms(terms, count, n, 1, report);
            count = fill_terms(terms, BP_SUMMED_ROWS, buffer, n, number % 3);
            comparisons += check_terms(terms, count, n, 0, report);
        }
    }
    for (uint32_t number = 0; number < 4 * MOST; ++number) {
        comparisons += check_taps(buffer, number, report);
    }
    return comparisons;
}
