#include "ops/pairs.h"

enum { RANK = BP_MODEL_MAX_RANK, LAST = RANK - 1 };

/* As if the shape had RANK dimensions, the first of which are 1. */
static uint32_t dim_of(const uint8_t *record, uint8_t d) {
    uint8_t missing = (uint8_t)(RANK - BP_ROM_U8(record + BP_TENSOR_RANK));
    return d < missing ? 1 : bp_record_dim(record, (uint8_t)(d - missing));
}

bp_status_t bp_pairs_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *y = bp_operand_record(reader->model, op, 2);
    uint32_t most[RANK] = {1, 1, 1, 1};
    for (uint8_t i = 0; i < 2; ++i) {
        const uint8_t *x = bp_operand_record(reader->model, op, i);
        for (uint8_t d = 0; d < RANK; ++d) {
            uint32_t dim = dim_of(x, d);
            if (dim != 1 && dim != dim_of(y, d)) {
                return BP_E_SHAPE;
            }
            most[d] = dim > most[d] ? dim : most[d];
        }
        if (bp_record_kind(x) != BP_KIND_CONSTANT && bp_record_elems(x) != bp_record_elems(y) &&
            bp_records_overlap(x, y)) {
            return BP_E_OVERLAP;
        }
    }
    for (uint8_t d = 0; d < RANK; ++d) {
        if (most[d] != dim_of(y, d)) {
            return BP_E_SHAPE;
        }
    }
    return BP_OK;
}

/* Merges dimensions that both inputs walk as one, from the last on. */
static void merge_dims(bp_pairs_t *walk) {
    uint8_t to = LAST;
    for (uint8_t d = LAST; d-- != 0;) {
        uint32_t size = walk->dims[d], inner = walk->dims[to];
        bool is_one = inner == 1 || (walk->from[0].steps[d] == walk->from[0].steps[to] * inner &&
                                     walk->from[1].steps[d] == walk->from[1].steps[to] * inner);
        if (size == 1) {
            continue;
        }
        if (is_one && inner != 1) {
            walk->dims[to] *= size;
            continue;
        }
        to = (uint8_t)(to - !is_one);
        walk->dims[to] = size;
        walk->from[0].steps[to] = walk->from[0].steps[d];
        walk->from[1].steps[to] = walk->from[1].steps[d];
    }
    while (to-- != 0) {
        walk->dims[to] = 1;
    }
}

static void begin_input(bp_pairs_t *walk, uint8_t i, const uint8_t *x, const uint8_t *base) {
    walk->from[i].bytes = base + (size_t)bp_record_offset(x);
    walk->from[i].is_rom = bp_record_kind(x) == BP_KIND_CONSTANT;
    uint32_t step = 1;
    for (uint8_t d = RANK; d-- != 0;) {
        uint32_t dim = dim_of(x, d);
        walk->from[i].steps[d] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

void bp_pairs_begin(bp_pairs_t *walk, const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    const uint8_t *y = bp_operand_record(model, op, 2);
    walk->y = (int8_t *)arena + (size_t)bp_record_offset(y);
    walk->left = bp_record_elems(y);
    walk->n = walk->column = 0;
    for (uint8_t d = 0; d < RANK; ++d) {
        walk->dims[d] = dim_of(y, d);
        walk->index[d] = 0;
    }
    for (uint8_t i = 0; i < 2; ++i) {
        const uint8_t *x = bp_operand_record(model, op, i);
        begin_input(walk, i, x, bp_record_kind(x) == BP_KIND_CONSTANT ? model->image : arena);
    }
    merge_dims(walk);
    for (uint8_t i = 0; i < 2; ++i) {
        walk->from[i].is_copied =
            walk->from[i].steps[LAST] != 1 || (BP_ROM_IS_APART && walk->from[i].is_rom);
    }
}

/* To the first element of the next row. */
static void next_row(bp_pairs_t *walk) {
    walk->column = 0;
    for (uint8_t d = LAST; d-- != 0;) {
        walk->from[0].bytes += (size_t)walk->from[0].steps[d];
        walk->from[1].bytes += (size_t)walk->from[1].steps[d];
        if (++walk->index[d] != walk->dims[d]) {
            return;
        }
        walk->index[d] = 0;
        walk->from[0].bytes -= (size_t)(walk->from[0].steps[d] * walk->dims[d]);
        walk->from[1].bytes -= (size_t)(walk->from[1].steps[d] * walk->dims[d]);
    }
}

static const int8_t *copied(bp_pairs_t *walk, uint8_t i, const uint8_t *from) {
    uint32_t step = walk->from[i].steps[LAST];
    for (uint32_t k = 0; k < walk->n; ++k, from += (size_t)step) {
        walk->copies[i][k] = walk->from[i].is_rom ? BP_ROM_I8(from) : *(const int8_t *)from;
    }
    return walk->copies[i];
}

bool bp_pairs_next(bp_pairs_t *walk) {
    walk->y += (size_t)walk->n;
    walk->left -= walk->n;
    walk->column += walk->n;
    if (walk->left == 0) {
        return false;
    }
    if (walk->column == walk->dims[LAST]) {
        next_row(walk);
    }
    walk->n = walk->dims[LAST] - walk->column;
    if ((walk->from[0].is_copied || walk->from[1].is_copied) && walk->n > BP_PAIRS_BLOCK) {
        walk->n = BP_PAIRS_BLOCK;
    }
    for (uint8_t i = 0; i < 2; ++i) {
        const uint8_t *from =
            walk->from[i].bytes + (size_t)(walk->column * walk->from[i].steps[LAST]);
        walk->x[i] = walk->from[i].is_copied ? copied(walk, i, from) : (const int8_t *)from;
    }
    return true;
}
