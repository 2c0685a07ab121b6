#include "ops/ops.h"

/* The flag FAST: kernels trust it, so it is checked. docs/numerics.md has the reason for each bound. */

#define SUM_LIMIT ((uint32_t)1 << 28)
enum { MIN_LSHIFT = -22, MAX_LSHIFT = -1, LARGEST_PRODUCT = 128 * 127 };

static const uint8_t *part(const bp_reader_t *reader, const uint8_t *parts, uint8_t index) {
    return reader->model->image + (size_t)BP_ROM_U32(parts + 4u * index);
}

static bool are_symmetric(const uint8_t *weights, uint32_t n) {
    for (; n != 0; --n, ++weights) {
        if (BP_ROM_I8(weights) == -128) {
            return false;
        }
    }
    return true;
}

/* No sum reaches the limit, whatever the inputs are. */
static bool are_small(const uint8_t *bias, uint32_t n, uint32_t n_in) {
    const uint32_t products = LARGEST_PRODUCT * n_in; /* n_in has 16 bits */
    for (; n != 0; --n, bias += 4) {
        const int32_t value = BP_ROM_I32(bias);
        const uint32_t size = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
        if (size + products >= SUM_LIMIT) {
            return false;
        }
    }
    return true;
}

static bool are_right_shifts(const uint8_t *lshift, uint32_t n) {
    for (; n != 0; --n, ++lshift) {
        if (BP_ROM_I8(lshift) < MIN_LSHIFT || BP_ROM_I8(lshift) > MAX_LSHIFT) {
            return false;
        }
    }
    return true;
}

bool bp_rows_are_fast(const bp_fast_rows_t *parts, const bp_rows_t *rows) {
    return are_symmetric(parts->weights, rows->weight_bytes) &&
           are_small(parts->bias, rows->n_out, rows->n_in) &&
           are_right_shifts(parts->lshift, rows->n_lshifts);
}

bp_status_t bp_check_fast(const bp_reader_t *reader, uint8_t flags, const uint8_t *parts,
                          const bp_rows_t *rows) {
    const bp_fast_rows_t found = {part(reader, parts, 0), part(reader, parts, 1),
                                  part(reader, parts, 3)};
    return !BP_FAST_OPS || (flags & BP_OP_FAST) == 0 || bp_rows_are_fast(&found, rows)
               ? BP_OK
               : BP_E_PARAM;
}
