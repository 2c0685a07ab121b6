#include "isa/isa.h"

#include <byteprop/status.h>
#include <stdbool.h>
#include <stddef.h>

static bool same_text(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

#if BP_ISA_AT_RUN_TIME

static const bp_isa_t portable = {"portable", bp_dot_rows_s8, bp_dot_row_s8};
static const bp_isa_t avx2 = {"avx2", bp_dot_rows_s8_avx2, bp_dot_row_s8};

/* Best first; NULL where the CPU lacks it. */
static const bp_isa_t *candidate(int index) {
    switch (index) {
    case 0:
        return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
    default:
        return &portable;
    }
}
enum { CANDIDATES = 2 };

static const bp_isa_t *in_use;

/* Threads that come here first at the same time all store the same pointer. */
const bp_isa_t *bp_isa(void) {
    const bp_isa_t *isa = __atomic_load_n(&in_use, __ATOMIC_ACQUIRE);
    for (int i = 0; isa == NULL; ++i) {
        isa = candidate(i);
        __atomic_store_n(&in_use, isa, __ATOMIC_RELEASE);
    }
    return isa;
}

const char *bp_isa_name(void) {
    return bp_isa()->name;
}

int bp_isa_select(const char *name) {
    for (int i = 0; i < CANDIDATES; ++i) {
        const bp_isa_t *isa = candidate(i);
        if (isa != NULL && same_text(name, isa->name)) {
            __atomic_store_n(&in_use, isa, __ATOMIC_RELEASE);
            return BP_OK;
        }
    }
    return BP_E_UNSUPPORTED;
}

#else

const char *bp_isa_name(void) {
    return BP_ISA_NAME;
}

int bp_isa_select(const char *name) {
    return same_text(name, BP_ISA_NAME) ? BP_OK : BP_E_UNSUPPORTED;
}

#endif
