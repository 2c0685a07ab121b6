#include "ops/ops.h"

/* The table: from an op's code to its form and its functions. Switches and no array of pointers,
 * because they take no RAM on AVR and leave nothing of the ops that the build does not have. */

#define HAS(code)                                                                                  \
    (((code) < 64 ? (uint64_t)(BP_OPS_LOW) >> ((code)&63)                                          \
                  : (uint64_t)(BP_OPS_HIGH) >> ((code)&63)) &                                      \
     1)

/* A row of the list in one word. */
#define FORM(inputs, outputs, words, traits)                                                       \
    ((uint32_t)(inputs) | (uint32_t)(outputs) << 8 | (uint32_t)(words) << 16 |                     \
     (uint32_t)(traits) << 24)
enum { NO_FORM = 0 };

/* What no op of the build has is not asked for. */
#define TRAITS(code, NAME, name, inputs, outputs, words, traits) | (HAS(code) ? (traits) : 0)
#define HAS_TRAIT(traits, trait)                                                                   \
    (((0 BP_OP_LIST(TRAITS)) & (trait)) != 0 && ((traits) & (trait)) != 0)

/* Comparisons and no switch: of a switch compilers make a table of constants, in RAM on AVR, with
 * room for every code. */
static uint32_t form_of(uint8_t op_code) {
#define TRY(code, NAME, name, inputs, outputs, words, traits)                                      \
    if (HAS(code) && op_code == (code)) {                                                          \
        return FORM(inputs, outputs, words, traits);                                               \
    }
    BP_OP_LIST(TRY)
#undef TRY
    return NO_FORM;
}

/* The input may share bytes with output y. */
static bool may_overlap(const uint8_t *x, const uint8_t *y, uint8_t traits) {
    return bp_record_kind(x) == BP_KIND_CONSTANT || HAS_TRAIT(traits, BP_OP_OVERLAPS) ||
           (HAS_TRAIT(traits, BP_OP_IN_PLACE) && bp_record_offset(x) == bp_record_offset(y));
}

/* No output has a byte of an output before it, nor, unless the traits allow it, of an input. */
static bp_status_t check_apart(const bp_model_t *model, const bp_op_t *op, const uint8_t *y,
                               uint16_t output, uint8_t traits) {
    for (uint16_t i = 0; i < output; ++i) {
        const uint8_t *x = bp_operand_record(model, op, i);
        if (!(i < op->n_inputs && may_overlap(x, y, traits)) && bp_records_overlap(x, y)) {
            return BP_E_OVERLAP;
        }
    }
    return BP_OK;
}

static bp_status_t check_scratch(const bp_model_t *model, const bp_op_t *op, uint16_t output) {
    const uint8_t *scratch = bp_operand_record(model, op, output);
    return bp_record_kind(scratch) == BP_KIND_SCRATCH ? check_apart(model, op, scratch, output, 0)
                                                      : BP_E_KIND;
}

/* All operands but scratch memory: inputs, then outputs. */
static bp_status_t check_operands(const bp_model_t *model, const bp_op_t *op, uint16_t n,
                                  uint8_t traits) {
    const uint8_t *y = bp_operand_record(model, op, op->n_inputs);
    for (uint16_t i = 0; i < n; ++i) {
        const uint8_t *record = bp_operand_record(model, op, i);
        bool is_input = i < op->n_inputs;
        uint8_t kind = bp_record_kind(record), dtype = bp_record_dtype(record);
        if (bp_is_hidden(kind) ||
            (kind == BP_KIND_CONSTANT && !(is_input && HAS_TRAIT(traits, BP_OP_CONSTANTS)))) {
            return BP_E_KIND;
        }
        if ((HAS_TRAIT(traits, BP_OP_INT8) && dtype != BP_DTYPE_INT8) ||
            (HAS_TRAIT(traits, BP_OP_SAME_TYPE) && dtype != bp_record_dtype(y))) {
            return BP_E_DTYPE;
        }
        if (HAS_TRAIT(traits, BP_OP_SAME_SIZE) && bp_record_elems(record) != bp_record_elems(y)) {
            return BP_E_SHAPE;
        }
        if (!is_input) {
            BP_TRY(check_apart(model, op, record, i, traits));
        }
    }
    return BP_OK;
}

bp_status_t bp_op_check_form(const bp_model_t *model, const bp_op_t *op) {
    const uint32_t form = form_of(op->code);
    const uint8_t n_inputs = (uint8_t)form, n_outputs = (uint8_t)(form >> 8);
    const uint8_t traits = (uint8_t)(form >> 24);
    const uint8_t n_scratch = HAS_TRAIT(traits, BP_OP_SCRATCH);
    if (form == NO_FORM) {
        return BP_E_OP;
    }
    if ((n_inputs != 0 && op->n_inputs != n_inputs) || op->n_words != (uint8_t)(form >> 16) ||
        op->n_outputs != n_outputs + n_scratch) {
        return BP_E_PARAM;
    }
    const uint16_t n = (uint16_t)(op->n_inputs + n_outputs);
    BP_TRY(check_operands(model, op, n, traits));
    return n_scratch != 0 ? check_scratch(model, op, n) : BP_OK;
}

bp_status_t bp_op_check(const bp_reader_t *reader, const bp_op_t *op) {
#define CASE(code, NAME, name, inputs, outputs, words, traits)                                     \
    case code:                                                                                     \
        return HAS(code) ? bp_op_##name##_check(reader, op) : BP_E_OP;
    switch (op->code) {
        BP_OP_LIST(CASE)
    default:
        return BP_E_OP;
    }
#undef CASE
}

void bp_op_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
#define CASE(code, NAME, name, inputs, outputs, words, traits)                                     \
    case code:                                                                                     \
        if (HAS(code)) {                                                                           \
            bp_op_##name##_run(model, arena, op);                                                  \
        }                                                                                          \
        break;
    switch (op->code) {
        BP_OP_LIST(CASE)
    default:
        break;
    }
#undef CASE
}

void bp_op_run_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                   const bp_op_row_t *row) {
#define CASE(NAME, name)                                                                           \
    case BP_OP_##NAME:                                                                             \
        if (BP_HAS_ROWS && HAS(BP_OP_##NAME)) {                                                    \
            bp_op_##name##_row(model, arena, op, row);                                             \
        }                                                                                          \
        break;
    switch (op->code) {
        BP_ROW_OPS(CASE)
    default:
        break;
    }
#undef CASE
}

bool bp_op_is_noop(const bp_model_t *model, const bp_op_t *op) {
    return HAS_TRAIT(form_of(op->code) >> 24, BP_OP_KEEPS_BYTES) &&
           bp_record_offset(bp_operand_record(model, op, 0)) ==
               bp_record_offset(bp_operand_record(model, op, op->n_inputs));
}

void bp_op_features(uint8_t *features, uint8_t n) {
    for (uint8_t i = 0; i < n; ++i) {
#define BIT(code, NAME, name, inputs, outputs, words, traits)                                      \
    | ((code) / 8 == i && HAS(code) ? 1u << (code) % 8 : 0)
        features[i] = (uint8_t)(0 BP_OP_LIST(BIT));
#undef BIT
    }
}

const char *bp_op_name(uint8_t op_code) {
#define CASE(code, NAME, name, inputs, outputs, words, traits)                                     \
    case code:                                                                                     \
        return #name;
    switch (op_code) {
        BP_OP_LIST(CASE)
    default:
        return "?";
    }
#undef CASE
}
