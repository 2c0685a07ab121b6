#include "say.h"

#include <byteprop/port.h>

#include "divide.h"

#define MOST_DIGITS 20u /* of 64 bits */

static void say_byte(char character) {
    const uint8_t byte = (uint8_t)character;
    bp_port_tx(&byte, 1);
}

void mlperf_say(const char *literal) {
    const uint8_t *next = (const uint8_t *)literal;
    for (uint8_t byte = BP_TABLE_U8(next); byte != 0; byte = BP_TABLE_U8(next)) {
        say_byte((char)byte);
        next++;
    }
}

void mlperf_say_word(const char *word, uint8_t n) {
    bp_port_tx((const uint8_t *)word, n);
}

static void say_digits(uint64_t number, uint8_t at_least) {
    uint8_t digits[MOST_DIGITS];
    uint8_t n = 0;
    while (number != 0 || n < at_least) {
        n++;
        digits[MOST_DIGITS - n] = (uint8_t)('0' + mlperf_divide(&number, 10));
    }
    bp_port_tx(digits + MOST_DIGITS - n, n);
}

void mlperf_say_number(uint64_t number) {
    say_digits(number, 1);
}

void mlperf_say_hex(uint32_t number, uint8_t n_bytes) {
    for (uint8_t n = (uint8_t)(2u * n_bytes); n != 0; n--) {
        const uint8_t digit = (uint8_t)(number >> (4u * (n - 1u)) & 0xFu);
        say_byte((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
    }
}

void mlperf_say_milli(int32_t thousandths) {
    const uint32_t size = thousandths < 0 ? 0u - (uint32_t)thousandths : (uint32_t)thousandths;
    if (thousandths < 0) {
        say_byte('-');
    }
    say_digits(size / 1000u, 1);
    say_byte('.');
    say_digits(size % 1000u, 3);
}
