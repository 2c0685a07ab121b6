#include <byteprop/infer.h>
#include <byteprop/prepared.h>

#include "isa/isa.h"
#include "ops/ops.h"
#include "prepared/step.h"

/* What a prepared model begins with; one step for each op follows. */
typedef struct {
    const bp_model_t *model;
    const char *isa_name;
    size_t work_offset; /* in the arena */
    size_t work_bytes;
    uint32_t n_prepared;
} header_t;

static const header_t *header_of(const uint8_t *prepared) {
    return (const header_t *)(const void *)prepared;
}

#if BP_ISA_AT_RUN_TIME

static const bp_packed_isa_t *packed_isa(void) {
    return bp_isa()->packed;
}

static const bp_step_t *steps_of(const uint8_t *prepared) {
    return (const bp_step_t *)(const void *)(prepared + ((sizeof(header_t) + 63u) & ~(size_t)63));
}

/* The one place that chooses. */
static void prepare_step(bp_step_t *step, bp_store_t *store, const bp_packed_isa_t *isa,
                         const bp_model_t *model, uint16_t index) {
    bp_op_t op;
    bp_model_op(&op, model, index);
    if (bp_op_is_fed(model, &op)) {
        return;
    }
    switch (op.code) {
    case BP_OP_CONV_S8:
        bp_prepare_conv(step, store, isa, model, &op);
        break;
    case BP_OP_DEPTHWISE_S8:
        bp_prepare_depthwise(step, store, isa, model, &op);
        break;
    case BP_OP_DENSE_S8:
        bp_prepare_dense(step, store, isa, model, &op);
        break;
    default:
        break;
    }
}

/* Once copies take more bytes than twice the image, and so many, the other ops run from the image. */
enum { MOST_FREE_BYTES = 1 << 20 };

static uint32_t prepare_steps(bp_store_t *store, const bp_model_t *model) {
    const bp_packed_isa_t *isa = packed_isa();
    bp_step_t *steps =
        (bp_step_t *)(void *)bp_store_take(store, model->n_ops * sizeof(bp_step_t));
    /* Ops may share their weights; copies are of each op. */
    const size_t most = 2 * (size_t)model->image_bytes + MOST_FREE_BYTES;
    uint32_t n_prepared = 0;
    for (uint16_t i = 0; i < model->n_ops; ++i) {
        bp_step_t step = {NULL, NULL};
        if (isa != NULL && store->used <= most) {
            prepare_step(&step, store, isa, model, i);
        }
        n_prepared += step.run != NULL;
        if (steps != NULL) {
            steps[i] = step;
        }
    }
    return n_prepared;
}

static void run_steps(const uint8_t *prepared, uint8_t *arena) {
    const header_t *header = header_of(prepared);
    const bp_step_t *steps = steps_of(prepared);
    uint8_t *work = arena + header->work_offset;
    for (uint16_t i = 0; i < header->model->n_ops; ++i) {
        if (steps[i].run != NULL) {
            steps[i].run(&steps[i], arena, work);
        } else {
            bp_infer_op(header->model, arena, i);
        }
    }
}

static int is_for_this_isa(const header_t *header) {
    return header->n_prepared != 0 && header->isa_name == bp_isa()->name;
}

#else

static uint32_t prepare_steps(bp_store_t *store, const bp_model_t *model) {
    (void)store;
    (void)model;
    return 0;
}

static void run_steps(const uint8_t *prepared, uint8_t *arena) {
    bp_infer_run(header_of(prepared)->model, arena, UINT16_MAX, NULL);
}

static int is_for_this_isa(const header_t *header) {
    (void)header;
    return 0;
}

#endif

size_t bp_prepare(uint8_t *prepared, const bp_model_t *model) {
    bp_store_t store = {prepared, 0, 0};
    header_t *header = (header_t *)(void *)bp_store_take(&store, sizeof *header);
    const uint32_t n_prepared = prepare_steps(&store, model);
    if (header != NULL) {
        *header = (header_t){
            .model = model,
            .isa_name = bp_isa_name(),
            .work_offset = (model->arena_bytes + 63u) & ~(size_t)63,
            .work_bytes = store.work_bytes,
            .n_prepared = n_prepared,
        };
    }
    return store.used;
}

size_t bp_prepared_arena_bytes(const uint8_t *prepared) {
    return header_of(prepared)->work_offset + header_of(prepared)->work_bytes;
}

uint32_t bp_prepared_ops(const uint8_t *prepared) {
    return header_of(prepared)->n_prepared;
}

void bp_prepared_batch(uint8_t *y, const uint8_t *x, uint32_t n, const uint8_t *prepared,
                       uint8_t *arena) {
    const bp_model_t *model = header_of(prepared)->model;
    if (is_for_this_isa(header_of(prepared))) {
        for (; n != 0; --n) {
            x = bp_infer_put_inputs(arena, x, model);
            run_steps(prepared, arena);
            y = bp_infer_get_outputs(y, arena, model);
        }
    } else {
        bp_infer_batch(y, x, n, model, arena);
    }
}
