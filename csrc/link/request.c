#include <byteprop/link.h>

enum { CHANGES = 0, PURE = 1 };
#define OR_THIS(NAME, handler, purity, feature) || (purity && type == BP_MSG_##NAME)

int bp_request_is_pure(uint8_t type) {
    return 0 BP_REQUEST_LIST(OR_THIS);
}
