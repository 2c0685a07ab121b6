#include <byteprop/kernels.h>

#include "ops/ops.h"
#include "ops/pool.h"
#include "ops/window.h"

/* AVERAGE_POOL_2D and MAX_POOL_2D. Its words: activation u8, kind u8 (0: average, 1: maximum), 0, 0;
 * y_min i16, y_max i16; the window. */

enum { KIND = 1, Y_MIN = 4, Y_MAX = 6, WINDOW = 8 };

bp_status_t bp_op_pool_check(const bp_reader_t *reader, const bp_op_t *op) {
    const uint8_t *x = bp_operand_record(reader->model, op, 0);
    const uint8_t *y = bp_operand_record(reader->model, op, 1);
    bp_window_t window[2];
    bp_window_record(window, op->params + WINDOW);
    BP_TRY(bp_check_window(window, x, y));
    if (bp_record_last_dim(x) != bp_record_last_dim(y)) {
        return BP_E_SHAPE;
    }
    if (BP_ROM_U8(op->params + KIND) > 1 || window[0].dilation != 1 || window[1].dilation != 1) {
        return BP_E_PARAM;
    }
    return bp_check_range(BP_ROM_U8(op->params), (int16_t)BP_ROM_U16(op->params + Y_MIN),
                          (int16_t)BP_ROM_U16(op->params + Y_MAX), BP_DTYPE_INT8);
}

uint8_t bp_pool_is_max(const bp_op_t *op) {
    return BP_ROM_U8(op->params + KIND);
}

void bp_pool_record(bp_pool_t *pool, const bp_model_t *model, const bp_op_t *op) {
    const uint8_t *tx = bp_operand_record(model, op, 0), *ty = bp_operand_record(model, op, 1);
    pool->batch = bp_record_dim(tx, BP_AXIS_BATCH);
    pool->x_height = bp_record_dim(tx, BP_AXIS_HEIGHT);
    pool->x_width = bp_record_dim(tx, BP_AXIS_WIDTH);
    pool->y_height = bp_record_dim(ty, BP_AXIS_HEIGHT);
    pool->y_width = bp_record_dim(ty, BP_AXIS_WIDTH);
    pool->channels = bp_record_dim(tx, BP_AXIS_CHANNELS);
    pool->is_max = bp_pool_is_max(op);
    pool->y_min = BP_ROM_I8(op->params + Y_MIN); /* the range is one of int8 */
    pool->y_max = BP_ROM_I8(op->params + Y_MAX);
    bp_window_record(pool->window, op->params + WINDOW);
}

void bp_op_pool_run(const bp_model_t *model, uint8_t *arena, const bp_op_t *op) {
    bp_pool_t pool;
    bp_pool_record(&pool, model, op);
    bp_pool_s8((int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 1)),
               (const int8_t *)arena + (size_t)bp_record_offset(bp_operand_record(model, op, 0)),
               &pool);
}

void bp_op_pool_row(const bp_model_t *model, uint8_t *arena, const bp_op_t *op,
                    const bp_op_row_t *row) {
    bp_pool_t pool;
    (void)arena;
    bp_pool_record(&pool, model, op);
    pool.x_height = row->height;
    pool.y_height = 1;
    pool.window[0].pad = row->pad;
    bp_pool_s8((int8_t *)row->y, (const int8_t *)row->x, &pool);
}
