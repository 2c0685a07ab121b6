/* Bytes in and out; where a board has a microphone, its samples come instead. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdint.h>

void serial_init(void);
/* Waits for n bytes; 0 if there will be no more. */
int serial_read(uint8_t *bytes, uint32_t n);
void serial_write(const uint8_t *bytes, uint32_t n);

#endif
