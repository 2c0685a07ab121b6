#include "word.h"

#define MAX_DIGITS 9u

static void skip_spaces(const char **text) {
    while (**text == ' ') {
        (*text)++;
    }
}

uint8_t mlperf_take_word(const char **text, const char **word) {
    uint8_t n = 0;
    skip_spaces(text);
    *word = *text;
    while (**text != 0 && **text != ' ') {
        (*text)++;
        n++;
    }
    return n;
}

int mlperf_is_word(const char *word, uint8_t n, const char *literal) {
    const uint8_t *expected = (const uint8_t *)literal;
    for (uint8_t i = 0; i < n; i++) {
        if ((uint8_t)word[i] != BP_TABLE_U8(expected + i)) {
            return 0;
        }
    }
    return BP_TABLE_U8(expected + n) == 0;
}

int mlperf_is_end(const char *text) {
    skip_spaces(&text);
    return *text == 0;
}

int mlperf_take_number(const char **text, uint32_t *number) {
    const char *word;
    const uint8_t n = mlperf_take_word(text, &word);
    uint32_t value = 0;
    for (uint8_t i = 0; i < n; i++) {
        if (word[i] < '0' || word[i] > '9') {
            return 0;
        }
        value = 10u * value + (uint32_t)(word[i] - '0');
    }
    *number = value;
    return n != 0 && n <= MAX_DIGITS;
}

static int16_t hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') {
        return (int16_t)(digit - '0');
    }
    if (digit >= 'a' && digit <= 'f') {
        return (int16_t)(digit - 'a' + 10);
    }
    if (digit >= 'A' && digit <= 'F') {
        return (int16_t)(digit - 'A' + 10);
    }
    return -1;
}

int16_t mlperf_hex_byte(const char *digits) {
    const int16_t high = hex_digit(digits[0]);
    const int16_t low = hex_digit(digits[1]);
    return high < 0 || low < 0 ? (int16_t)-1 : (int16_t)(high * 16 + low);
}
