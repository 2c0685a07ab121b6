/* A file of its own, for the host: on AVR all strings of a file that is used take RAM. */
#include <byteprop/link.h>

#define CASE(NAME, handler, purity, feature)                                                       \
    case BP_MSG_##NAME:                                                                            \
        return #NAME;

const char *bp_request_name(uint8_t type) {
    switch (type) {
        BP_REQUEST_LIST(CASE)
    default:
        return "?";
    }
}
