/* What main.c needs of the machine it runs on. */
#ifndef BOARD_H
#define BOARD_H

void board_init(void);
/* Text to the console. */
void board_write(const char *text);

#endif
