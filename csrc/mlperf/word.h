/* The words of a command, which are separated by spaces. */
#ifndef BYTEPROP_MLPERF_WORD_H
#define BYTEPROP_MLPERF_WORD_H

#include <byteprop/config.h>
#include <stdint.h>

/* Takes the next word off the text; returns its length, 0 at the end. */
uint8_t mlperf_take_word(const char **text, const char **word);
/* Whether a word of n characters is that literal, which is stored where constant tables are. */
int mlperf_is_word(const char *word, uint8_t n, const char *literal);
/* 1 if no word is left. */
int mlperf_is_end(const char *text);
/* Takes a decimal number of up to 9 digits; 0 if the next word is none. */
int mlperf_take_number(const char **text, uint32_t *number);
/* The byte that two hexadecimal digits are; -1 if they are none. */
int16_t mlperf_hex_byte(const char *digits);

#endif
