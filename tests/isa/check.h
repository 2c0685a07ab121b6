/* Compares the tuned primitives of the CPU that it is compiled for with the definition. */
#ifndef ISA_CHECK_H
#define ISA_CHECK_H

#include <stdint.h>

/* Gives a buffer of n bytes, 4-byte aligned; slot 0 for x, 1 for weights, 2 for residuals, errors
 * of the layer below or columns. A buffer is in use until its slot is asked for again. Where the platform can,
 * reading beyond the end is caught. */
typedef uint8_t *check_buffer_t(uint32_t slot, uint32_t n);
/* Called for every difference with what differs and a number that tells the case. */
typedef void check_report_t(const char *what, uint32_t number);

enum {
    CHECK_SLOTS = 3,
    CHECK_X_BYTES = 1024,
    CHECK_WEIGHT_BYTES = 4 * 1024,
#ifdef __AVR__
    CHECK_MORE_BYTES = 1024 /* it has 8 KB of RAM */
#else
    CHECK_MORE_BYTES = CHECK_WEIGHT_BYTES
#endif
};

/* Returns the number of comparisons; every one that fails is reported. */
uint32_t check_all(check_buffer_t *buffer, check_report_t *report);
uint32_t check_convolutions(check_buffer_t *buffer, check_report_t *report);
uint32_t check_halfwords(check_buffer_t *buffer, check_report_t *report);
uint32_t check_depthwise(check_buffer_t *buffer, check_report_t *report);
uint32_t check_elements(check_buffer_t *buffer, check_report_t *report);
uint32_t check_pairs(check_buffer_t *buffer, check_report_t *report);
uint32_t check_rows(check_buffer_t *buffer, check_report_t *report);

#endif
