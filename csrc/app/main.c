#include <byteprop/port.h>

int bp_app_main(void) {
    bp_app_begin();
    for (;;) {
        bp_app_poll();
    }
}
