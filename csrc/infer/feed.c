#include <byteprop/config.h>
#include <byteprop/infer.h>

#include "ops/ops.h"

/* Inference of an image that comes row by row. The ops that work so form a chain from the input on:
 * each reads what the one before writes, and the last one's output is whole. Between them, the arena
 * has the last rows of each image, one after the other, so an op takes them as if they were an image
 * of their own. How many rows there are follows from those that came.
 *
 * An op runs once for each row of its output, as soon as it can, and then the ops behind it, before
 * the next row. So there is never more than one row that an op has not used, and an op needs no other
 * rows than those of its window. */

enum { HEIGHT = 1 }; /* axis */

/* The rows of a tensor that the arena has: all, or the last ones. */
typedef struct {
    uint8_t *bytes;
    uint32_t row_bytes;
    uint32_t held;
    uint32_t height; /* of the whole image */
} rows_t;

/* An op of the chain. */
typedef struct {
    bp_op_t op;
    bp_op_rows_t takes;
    rows_t x;
    rows_t y;
} step_t;

static rows_t rows_of(const uint8_t *record, uint8_t *arena) {
    const uint32_t height = bp_record_dim(record, HEIGHT);
    return (rows_t){
        .bytes = arena + (size_t)bp_record_offset(record),
        .row_bytes = bp_record_stride(record, HEIGHT),
        .held = bp_record_is_rows(record) ? bp_record_rows(record) : height,
        .height = height,
    };
}

static void copy(uint8_t *y, const uint8_t *x, uint32_t n) {
    for (; n != 0; --n) {
        *y++ = *x++;
    }
}

/* The first row makes room for one behind the last; n bytes stay. Tensors begin at multiples of 4. */
static void drop_first_row(const rows_t *rows, uint32_t n) {
    if (rows->row_bytes % sizeof(uint32_t) != 0) {
        copy(rows->bytes, rows->bytes + (size_t)rows->row_bytes, n);
        return;
    }
    uint32_t *to = (uint32_t *)(void *)rows->bytes;
    const uint32_t step = rows->row_bytes / (uint32_t)sizeof *to;
    for (const uint32_t *end = to + (size_t)(n / sizeof *to); to != end; ++to) {
        *to = to[(size_t)step];
    }
}

/* Where row number `row`, the next one, is written. */
static uint8_t *place_of_next(const rows_t *rows, uint32_t row) {
    const uint32_t last = (rows->held - 1) * rows->row_bytes;
    if (row < rows->held) {
        return rows->bytes + (size_t)(row * rows->row_bytes);
    }
    drop_first_row(rows, last);
    return rows->bytes + (size_t)last;
}

/* False behind the end of the chain. */
static bool read_step(step_t *step, const bp_model_t *model, uint8_t *arena, uint16_t index) {
    if (index >= model->n_ops) {
        return false;
    }
    bp_model_op(&step->op, model, index);
    if (!bp_op_is_fed(model, &step->op)) {
        return false;
    }
    (void)bp_op_rows(&step->takes, &step->op);
    step->x = rows_of(bp_operand_record(model, &step->op, 0), arena);
    step->y = rows_of(bp_operand_record(model, &step->op, 1), arena);
    return true;
}

/* Input rows that there must be for an output row. */
static uint32_t needed(const step_t *step, uint32_t row) {
    const uint32_t end = row * step->takes.stride + step->takes.reach - step->takes.pad;
    return end < step->x.height ? end : step->x.height;
}

/* Output rows that were made of n input rows. */
static uint32_t made_of(const step_t *step, uint32_t n) {
    const bp_op_rows_t *takes = &step->takes;
    if (n == step->x.height) {
        return step->y.height;
    }
    if (n + takes->pad < takes->reach) {
        return 0;
    }
    const uint32_t made = (n + takes->pad - takes->reach) / takes->stride + 1;
    return made < step->y.height ? made : step->y.height;
}

/* Makes an output row; there are n input rows, of which the last ones are in the arena. */
static void make_row(const bp_model_t *model, uint8_t *arena, const step_t *step, uint32_t n,
                     uint32_t row) {
    const uint32_t begin = row * step->takes.stride, pad = step->takes.pad;
    const uint32_t outside = begin < pad ? pad - begin : 0;
    const uint32_t first = begin + outside - pad;
    const uint32_t gone = n > step->x.held ? n - step->x.held : 0;
    const bp_op_row_t one = {
        .y = place_of_next(&step->y, row),
        .x = step->x.bytes + (size_t)((first - gone) * step->x.row_bytes),
        .height = (uint16_t)(needed(step, row) - first),
        .pad = (uint16_t)outside,
    };
    BP_ASSERT(first >= gone);
    bp_op_run_row(model, arena, &step->op, &one);
}

/* Another row of the input, after n of them, has come. */
static void take_row(const bp_model_t *model, uint8_t *arena, uint32_t n) {
    uint16_t made[BP_MODEL_MAX_FED_OPS + 1]; /* rows of the input, then of each op's output */
    step_t step;
    uint16_t i = 0;
    made[0] = (uint16_t)n;
    for (; read_step(&step, model, arena, i); ++i) {
        made[i + 1] = (uint16_t)made_of(&step, made[i]);
    }
    made[0] = (uint16_t)(n + 1);
    i = 0;
    for (;;) {
        if (read_step(&step, model, arena, i) && made[i + 1] < step.y.height &&
            needed(&step, made[i + 1]) <= made[i]) {
            make_row(model, arena, &step, made[i], made[i + 1]);
            ++made[++i];
        } else if (i-- == 0) {
            return;
        }
    }
}

uint32_t bp_infer_feed(const bp_model_t *model, uint8_t *arena, uint32_t fed, const uint8_t *x,
                       uint32_t n) {
    const rows_t rows = rows_of(bp_tensor_record(model, bp_model_input(model, 0)), arena);
    while (n != 0 && fed < rows.height * rows.row_bytes) {
        const uint32_t row = fed / rows.row_bytes, at = fed - row * rows.row_bytes;
        const uint32_t left = rows.row_bytes - at, taken = n < left ? n : left;
        const uint32_t slot = row < rows.held ? row : rows.held - 1;
        if (at == 0) {
            (void)place_of_next(&rows, row);
        }
        copy(rows.bytes + (size_t)(slot * rows.row_bytes + at), x, taken);
        x += (size_t)taken;
        n -= taken;
        fed += taken;
        if (taken == left) {
            take_row(model, arena, row);
        }
    }
    return fed;
}

int bp_infer_is_fed(const bp_model_t *model) {
    return bp_record_is_rows(bp_tensor_record(model, bp_model_input(model, 0)));
}
