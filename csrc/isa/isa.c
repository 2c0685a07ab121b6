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

#if BP_ISA_X86_64
#include "isa/x86_cpu.h"
#endif
#if BP_ISA_ARM64 && defined(__linux__)
#include <sys/auxv.h>
#endif

#if BP_ISA_ARM64
/* Apple's compiler knows; Linux says it in bit 20 of AT_HWCAP. */
static bool has_dotprod(void) {
#if defined(__ARM_FEATURE_DOTPROD)
    return true;
#elif defined(__linux__)
    return (getauxval(AT_HWCAP) >> 20 & 1) != 0;
#else
    return false;
#endif
}
#endif

static bool is_always(void) {
    return true;
}

/* What instruction sets of one family share. */
#define AVX2_PRIMITIVES                                                                            \
    .dot_rows = bp_dot_rows_s8_avx2, .dot_row = bp_dot_row_s8, .sgd_row = bp_sgd_row_s16_avx2,     \
    .backward = bp_dense_backward_s8_avx2, .patch_sums = bp_patch_sums_s8_avx2
#define AVX2_ELEMENTS .add = bp_add_elements_s8_avx2, .mul = bp_mul_elements_s8_avx2
#define NEON_PRIMITIVES                                                                            \
    .dot_row = bp_dot_row_s8, .sgd_row = bp_sgd_row_s16, .backward = bp_dense_backward_s8,         \
    .add = bp_add_elements_s8_neon, .mul = bp_mul_elements_s8_neon,                                \
    .patch_sums = bp_patch_sums_s8_neon

/* All there are, best first, and whether this CPU can run them. */
static const struct {
    bp_isa_t isa;
    bool (*is_supported)(void);
} all[] = {
#if BP_ISA_HAS_AVX512VNNI
    {{
         .name = "avx512vnni",
         AVX2_PRIMITIVES,
         .add = bp_add_elements_s8_avx512,
         .mul = bp_mul_elements_s8_avx512,
         .packed = &bp_packed_avx512vnni,
     },
     bp_x86_has_avx512vnni},
#endif
#if BP_ISA_HAS_AVXVNNI
    {{
         .name = "avxvnni",
         AVX2_PRIMITIVES,
         AVX2_ELEMENTS,
         .packed = &bp_packed_avxvnni,
     },
     bp_x86_has_avxvnni},
#endif
#if BP_ISA_X86_64
    {{
         .name = "avx2",
         AVX2_PRIMITIVES,
         AVX2_ELEMENTS,
         .packed = &bp_packed_avx2,
     },
     bp_x86_has_avx2},
#endif
#if BP_ISA_ARM64
    {{
         .name = "dotprod",
         .dot_rows = bp_dot_rows_s8_dotprod,
         NEON_PRIMITIVES,
         .packed = &bp_packed_dotprod,
     },
     has_dotprod},
    {{
         .name = "neon",
         .dot_rows = bp_dot_rows_s8_neon,
         NEON_PRIMITIVES,
         .packed = &bp_packed_neon,
     },
     is_always},
#endif
    {{
         .name = "portable",
         .dot_rows = bp_dot_rows_s8,
         .dot_row = bp_dot_row_s8,
         .sgd_row = bp_sgd_row_s16,
         .backward = bp_dense_backward_s8,
         .conv_columns = bp_conv_columns_s8,
         .conv_block = bp_conv_block_s8,
         .conv_pixels = BP_CONV_PLAIN_PIXELS,
         .add = bp_add_elements_s8,
         .mul = bp_mul_elements_s8,
         .patch_sums = bp_patch_sums_s8,
     },
     is_always},
};

/* Those that this CPU can run; NULL from the end on. */
static const bp_isa_t *candidate(int index) {
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        if (all[i].is_supported() && index-- == 0) {
            return &all[i].isa;
        }
    }
    return NULL;
}

static const bp_isa_t *in_use;

/* Threads that come here first at the same time all store the same pointer. */
const bp_isa_t *bp_isa(void) {
    const bp_isa_t *isa = __atomic_load_n(&in_use, __ATOMIC_ACQUIRE);
    if (isa == NULL) {
        isa = candidate(0);
        __atomic_store_n(&in_use, isa, __ATOMIC_RELEASE);
    }
    return isa;
}

const char *bp_isa_name(void) {
    return bp_isa()->name;
}

const char *bp_isa_available(int index) {
    const bp_isa_t *isa = candidate(index);
    return isa == NULL ? NULL : isa->name;
}

int bp_isa_select(const char *name) {
    const bp_isa_t *isa;
    for (int i = 0; (isa = candidate(i)) != NULL; ++i) {
        if (same_text(name, isa->name)) {
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

const char *bp_isa_available(int index) {
    return index == 0 ? BP_ISA_NAME : NULL;
}

int bp_isa_select(const char *name) {
    return same_text(name, BP_ISA_NAME) ? BP_OK : BP_E_UNSUPPORTED;
}

#endif
