/* Faults that the program finds by itself; those of the CPU come through bp_app_fault, too. */
#ifndef BYTEPROP_APP_FAULT_H
#define BYTEPROP_APP_FAULT_H

/* Sends a FAULT frame and resets the board if the stack has left its bounds. */
void app_check_stack(void);

#endif
