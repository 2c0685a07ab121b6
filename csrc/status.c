#include <byteprop/status.h>

#define STATUS_NAME(name, text) #name,
#define STATUS_TEXT(name, text) text,

int bp_status_count(void) {
    return BP_STATUS_COUNT_;
}

const char *bp_status_name(int status) {
    static const char *const names[] = {BP_STATUS_LIST(STATUS_NAME)};
    return status < 0 || status >= BP_STATUS_COUNT_ ? "?" : names[status];
}

const char *bp_status_text(int status) {
    static const char *const texts[] = {BP_STATUS_LIST(STATUS_TEXT)};
    return status < 0 || status >= BP_STATUS_COUNT_ ? "?" : texts[status];
}
