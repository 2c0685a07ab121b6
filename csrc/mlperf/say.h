/* Text to the port. */
#ifndef BYTEPROP_MLPERF_SAY_H
#define BYTEPROP_MLPERF_SAY_H

#include <byteprop/config.h>
#include <stdint.h>

/* Sends a string literal, which is stored where constant tables are. */
#define MLPERF_SAY(text)                                                                           \
    do {                                                                                           \
        static const char literal[] BP_TABLE = text;                                               \
        mlperf_say(literal);                                                                       \
    } while (0)
#define MLPERF_END "\r\n"

void mlperf_say(const char *literal);
/* n characters of RAM. */
void mlperf_say_word(const char *word, uint8_t n);
void mlperf_say_number(uint64_t number);
/* Two digits per byte, the highest byte first. */
void mlperf_say_hex(uint32_t number, uint8_t n_bytes);
/* Thousandths as a decimal fraction with three digits. */
void mlperf_say_milli(int32_t thousandths);

#endif
