/* Between the parts of the ESP32-C3. */
#ifndef BP_ESP32C3_H
#define BP_ESP32C3_H

/* Turns off the watchdogs that the boot ROM leaves on. */
void bp_esp32c3_stop_watchdogs(void);

#endif
