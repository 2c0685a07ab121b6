#include <byteprop/config.h>

#include "ops/rescale.h"
#include "ops/softmax.h"
#include "train/scales.h"
#include "train/steps/steps.h"

/* The memory of training: state | copies | scratch | records of the layers. One walk over the ops behind the
 * frozen part finds the layers and takes memory for them. It runs once to plan, when nothing is
 * written, and once to fill the records. */

enum { MAX_MOMENTUM_SHIFT = 15, MAX_RATE_SHIFT = 40, FIRST_CONV_NUMBER = 256 };
enum { WEIGHTS, BIASES, MULTIPLIERS, LSHIFTS, WEIGHT_SCALES }; /* parts of an op */
/* A macro, so that compilers that inline nothing leave out what it guards. */
#define HAS_BRANCHES(walk) (BP_TRAIN_HAS_BRANCHES && (walk)->has_branches)
#define BETA_ONE_F32 0x3F800000u

/* One layer takes less than 2^32 bytes, its weights and deltas at most 2^31 + 2^18. */
#if BP_TRAIN_ONE_LAYER
typedef uint32_t total_t;
#else
typedef uint64_t total_t;
#endif

typedef struct {
    const bp_model_t *model;
    const bp_train_config_t *config;
    uint16_t op;     /* next op; of the op that cannot be trained when a step fails */
    uint16_t tensor; /* the activation so far */
    uint16_t dense; /* layers so far, those of the frozen part included */
    uint16_t convs;
    uint16_t all_convs; /* of the model */
    uint16_t n_layers;
    uint16_t n_weighted;
    bp_train_layer_t before; /* the last layer read */
    total_t state;   /* bytes of state taken so far */
    total_t copies;  /* end of the copies taken so far */
    total_t scratch; /* end of the scratch taken so far */
    uint16_t widest; /* outputs of a dense layer */
    total_t sums;    /* bytes that layers of images share: see place_images */
    total_t errors;
    total_t row;
    bp_train_edges_t edges;
    uint16_t first_op;
    uint8_t has_branches;
} walk_t;

typedef struct {
    total_t copies;
    total_t scratch;
} begin_t;

static uint32_t take(total_t *used, total_t bytes) {
    total_t offset = *used;
    *used = (offset + bytes + 3) & ~(total_t)3;
    return (uint32_t)offset;
}

/* The next op when it reads the activation so far and has this code. */
static int next_is(walk_t *walk, uint8_t code, bp_op_t *op) {
    if (walk->op >= walk->model->n_ops) {
        return 0;
    }
    bp_model_op(op, walk->model, walk->op);
    return op->code == code && bp_op_input(op, 0) == walk->tensor;
}

/* Those of the activation so far; with branches, those of other outputs, too. */
static void skip_reshapes(walk_t *walk) {
    bp_op_t op;
    for (;; ++walk->op) {
        if (next_is(walk, BP_OP_RESHAPE, &op)) {
            walk->tensor = bp_op_output(&op, 0);
        } else if (!HAS_BRANCHES(walk) || walk->op >= walk->model->n_ops ||
                   op.code != BP_OP_RESHAPE) {
            return;
        }
    }
}

static int has_normal_f32(const walk_t *walk, uint32_t offset) {
    return bp_is_normal_f32(bp_image_u32(walk->model->image, offset));
}

static bp_status_t check_scales(const walk_t *walk, const bp_train_layer_t *layer) {
    if (!has_normal_f32(walk, bp_image_scale_offset(walk->model, layer->x_tensor)) ||
        !has_normal_f32(walk, bp_image_scale_offset(walk->model, layer->y_tensor))) {
        return BP_E_PARAM;
    }
    uint16_t n = layer->per_channel ? layer->n_out : 1;
    for (uint16_t j = 0; j < n; ++j) {
        if (!has_normal_f32(walk, layer->weight_scales + (uint32_t)4 * j)) {
            return BP_E_PARAM;
        }
    }
    return BP_OK;
}

/* Gives a layer with weights its number and its place in the image. */
static bp_status_t read_weights(walk_t *walk, bp_train_layer_t *layer, const bp_op_t *op) {
    layer->weights = bp_image_part(op, WEIGHTS);
    layer->bias = bp_image_part(op, BIASES);
    layer->mult_q31 = bp_image_part(op, MULTIPLIERS);
    layer->lshift = bp_image_part(op, LSHIFTS);
    layer->weight_scales = bp_image_part(op, WEIGHT_SCALES);
    if (bp_train_is_dense(layer)) {
        layer->number = walk->dense++;
        layer->frozen = (uint8_t)bp_train_is_frozen(walk->config, layer->number);
    } else {
        const uint16_t behind = (uint16_t)(walk->all_convs - 1 - walk->convs);
        layer->number = (uint16_t)(FIRST_CONV_NUMBER + walk->convs++);
        layer->frozen = !bp_train_is_conv_trained(walk->config, behind);
    }
    return ++walk->n_weighted > BP_TRAIN_MAX_LAYERS ? BP_E_UNSUPPORTED : check_scales(walk, layer);
}

/* The record of the layer that an op reads first, or, of a maximum without activation, of what that is a
 * maximum of; NULL: none. */
static const bp_train_layer_t *read_below(bp_train_layer_t *below, const walk_t *walk,
                                          const bp_op_t *op) {
    if (walk->n_layers == 0 || !HAS_BRANCHES(walk)) {
        return walk->n_layers == 0 ? NULL : &walk->before;
    }
    bp_op_t writer = *op;
    uint16_t at = walk->op;
    do {
        uint16_t tensor = bp_op_input(&writer, 0);
        at = bp_train_writer(walk->model, walk->first_op, at, &tensor);
        if (at == BP_TRAIN_NONE) {
            return NULL;
        }
        if (at == walk->before.op) {
            return &walk->before;
        }
        bp_model_op(&writer, walk->model, at);
    } while (bp_train_is_plain_maximum(&writer));
    *below = (bp_train_layer_t){0};
    below->code = writer.code;
    below->op = at;
    return bp_train_read(below, walk->model, &writer, NULL) == BP_OK ? below : NULL;
}

/* The op at an index may serve its errors as those of the layer below: it alone reads it, right behind
 * it. */
static int is_only_reader(const walk_t *walk, const bp_train_layer_t *below, uint16_t op_index) {
    return below->op + 1 == op_index &&
           (!HAS_BRANCHES(walk) ||
            bp_train_reads_alone(walk->model, walk->first_op, below->op, op_index));
}

static bp_status_t read_op(walk_t *walk, bp_train_layer_t *layer, const bp_op_t *op) {
    bp_train_layer_t record;
    if (!BP_TRAIN_HAS_IMAGES) {
        return bp_train_read(layer, walk->model, op, NULL);
    }
    const bp_train_layer_t *below = read_below(&record, walk, op);
    BP_TRY(bp_train_read(layer, walk->model, op, below));
    if (below != NULL && layer->view != BP_VIEW_NONE &&
        !is_only_reader(walk, below, layer->op)) {
        layer->view = BP_VIEW_NONE;
    }
    return BP_OK;
}

/* Fills what the image says about the layer at walk->op. */
static bp_status_t read_layer(bp_train_t *t, walk_t *walk, bp_train_layer_t *layer) {
    bp_op_t op;
    if (walk->op >= walk->model->n_ops) {
        return BP_E_UNSUPPORTED;
    }
    bp_model_op(&op, walk->model, walk->op);
    const uint16_t x = bp_op_input(&op, 0);
    if (!HAS_BRANCHES(walk) && x != walk->tensor) {
        return BP_E_UNSUPPORTED;
    }
    layer->op = walk->op;
    layer->code = op.code;
    layer->frozen = 1;
    layer->x_tensor = x;
    layer->y_tensor = bp_op_output(&op, 0);
    BP_TRY(read_op(walk, layer, &op));
    if (HAS_BRANCHES(walk)) {
        BP_TRY(bp_train_add_edges(&walk->edges, t, walk->model, &op, walk->op));
    }
    if (bp_train_has_weights(layer)) {
        BP_TRY(read_weights(walk, layer, &op));
    }
    walk->tensor = layer->y_tensor;
    ++walk->op;
    return BP_OK;
}

static void place_state(walk_t *walk, bp_train_layer_t *layer) {
    total_t weights = bp_train_weight_count(layer);
    uint32_t per_output = (uint32_t)4 * layer->n_out;
    const bp_train_config_t *config = walk->config;
    if (!bp_train_has_weights(layer)) {
        if (config->window != 0 && bp_train_has_own_scale(layer)) {
            layer->range = take(&walk->state, sizeof(bp_range_t));
        }
        return;
    }
    layer->bias_master = take(&walk->state, per_output);
    layer->range = take(&walk->state, sizeof(bp_range_t));
    if (layer->frozen) {
        return;
    }
    if (!(config->flags & BP_TRAIN_NO_RESIDUAL)) {
        layer->residual = take(&walk->state, weights);
    }
    if (BP_TRAIN_HAS_BATCHES && (config->batch > 1 || config->momentum_shift != 0)) {
        layer->gradient = take(&walk->state, 4 * weights);
        layer->bias_gradient = take(&walk->state, per_output);
    }
}

/* Weights and biases of a trained layer whose image stays in flash. */
static void place_copy(walk_t *walk, bp_train_layer_t *layer) {
    if (!BP_TRAIN_HAS_FROZEN_PART || layer->frozen ||
        !(walk->config->flags & BP_TRAIN_IN_FLASH)) {
        return;
    }
    layer->copied = 1;
    layer->weights = take(&walk->copies, bp_train_weight_count(layer));
    layer->bias = take(&walk->copies, (total_t)4 * layer->n_out);
}

static void enlarge(total_t *most, total_t bytes) {
    *most = bytes > *most ? bytes : *most;
}

/* How the layer at walk->op takes its errors to this one, which it reads. */
static uint8_t view_above(const walk_t *walk, const bp_train_layer_t *layer) {
    bp_op_t op;
    bp_train_layer_t above = {0};
    if (layer->last || walk->op != layer->op + 1) {
        return BP_VIEW_NONE;
    }
    bp_model_op(&op, walk->model, walk->op);
    above.code = op.code;
    return bp_op_input(&op, 0) == layer->y_tensor && is_only_reader(walk, layer, walk->op) &&
                   bp_train_read(&above, walk->model, &op, layer) == BP_OK
               ? above.view
               : BP_VIEW_NONE;
}

/* Layers of images share what only one of them needs at a time: 16-bit errors, which on the way forward
 * are scratch memory; 32-bit sums, or outputs that nothing but the pool behind them reads; the gradient
 * of a row. */
static void place_image(walk_t *walk, bp_train_layer_t *layer) {
    const total_t n = bp_train_outputs(layer);
    const uint8_t view = view_above(walk, layer);
    if (view == BP_VIEW_MAX) {
        enlarge(&walk->sums, n);
    } else {
        layer->y = take(&walk->scratch, n);
    }
    if (view == BP_VIEW_NONE) {
        enlarge(&walk->errors, bp_train_sends_none(walk->n_layers, layer->view) ? 0 : 2 * n);
        enlarge(&walk->sums, 4 * n);
    }
    enlarge(&walk->errors, bp_train_scratch_bytes(walk->model, layer));
    enlarge(&walk->row, (total_t)4 * layer->n_in);
    if (bp_train_keeps_places(walk->model, layer)) {
        layer->weights = take(&walk->scratch, n);
    }
}

static void place_scratch(walk_t *walk, bp_train_layer_t *layer) {
    if (BP_TRAIN_HAS_IMAGES && !bp_train_is_dense(layer)) {
        place_image(walk, layer);
        return;
    }
    layer->delta = take(&walk->scratch, (total_t)4 * layer->n_out);
    if (!layer->last) {
        layer->y = take(&walk->scratch, layer->n_out);
    }
    walk->widest = layer->n_out > walk->widest ? layer->n_out : walk->widest;
}

/* With a window the scales move, so the layer must be of the kind that from-scratch networks have:
 * per tensor, hidden outputs used from their zero point up, logits around zero; and in a chain. */
static bp_status_t check_window(const walk_t *walk, const bp_train_layer_t *layer) {
    const int is_plain = !bp_train_has_own_scale(layer) || layer->code == BP_OP_MEAN_S8;
    bp_op_t op;
    bp_model_op(&op, walk->model, layer->op);
    if (layer->per_channel || op.code == BP_OP_PAD || op.code == BP_OP_CONCATENATE ||
        (op.code == BP_OP_ADD_S8 && !bp_scales_are_even(walk->model, &op))) {
        return BP_E_UNSUPPORTED;
    }
    if (layer->last) {
        return layer->y_zp == 0 ? BP_OK : BP_E_UNSUPPORTED;
    }
    return layer->y_zp == INT8_MIN && (layer->activation == BP_ACT_RELU ||
                                       (is_plain && layer->activation == BP_ACT_NONE))
               ? BP_OK
               : BP_E_UNSUPPORTED;
}

static bp_status_t check_config(const bp_train_config_t *config) {
    uint8_t known =
        BP_TRAIN_NEAREST | BP_TRAIN_NO_RESIDUAL | BP_TRAIN_IN_FLASH | BP_TRAIN_AUTOENCODER;
    const int in_flash = (config->flags & BP_TRAIN_IN_FLASH) != 0;
    if ((!BP_TRAIN_HAS_IMAGES && config->convs != 0) ||
        (in_flash && (!BP_TRAIN_HAS_FROZEN_PART || config->window != 0)) ||
        (!BP_TRAIN_HAS_AUTOENCODERS && (config->flags & BP_TRAIN_AUTOENCODER) != 0) ||
        (!BP_TRAIN_HAS_BATCHES && (config->batch > 1 || config->momentum_shift != 0)) ||
        (!BP_TRAIN_HAS_RESCALING && config->window != 0) ||
        (config->kept != 0 && (!BP_TRAIN_HAS_KEPT || config->window != 0))) {
        return BP_E_UNSUPPORTED;
    }
    return config->batch >= 1 && (config->flags & ~known) == 0 &&
                   config->momentum_shift <= MAX_MOMENTUM_SHIFT &&
                   config->rate_shift <= MAX_RATE_SHIFT
               ? BP_OK
               : BP_E_ARG;
}

/* A softmax over all of the last layer's outputs, without a temperature, which the loss lacks. */
static bp_status_t check_softmax(const walk_t *walk, const bp_op_t *op,
                                 const bp_train_layer_t *layer) {
    return bp_softmax_classes(walk->model, op) == layer->n_out &&
                   bp_softmax_beta_f32(op) == BETA_ONE_F32
               ? BP_OK
               : BP_E_UNSUPPORTED;
}

/* A QUANTIZE to the model's output changes no order and no loss: training passes it by. */
static int skip_last_quantize(walk_t *walk) {
    bp_op_t op;
    if (!BP_TRAIN_HAS_QUANTIZE || walk->op + 1 != walk->model->n_ops ||
        !next_is(walk, BP_OP_RESCALE, &op) || bp_rescale_activation(&op) != BP_ACT_NONE) {
        return 0;
    }
    walk->tensor = bp_op_output(&op, 0);
    ++walk->op;
    return 1;
}

/* Accepts what may follow a layer; sets layer->last. */
static bp_status_t walk_output(bp_train_t *t, walk_t *walk, bp_train_layer_t *layer) {
    bp_op_t op;
    skip_reshapes(walk);
    if (BP_TRAIN_HAS_CLASSES && next_is(walk, BP_OP_SOFTMAX_S8, &op)) {
        BP_TRY(check_softmax(walk, &op, layer));
        t->softmax_op = walk->op++;
        walk->tensor = bp_op_output(&op, 0);
        skip_reshapes(walk);
        layer->last = 1;
    }
    layer->last |= (uint8_t)skip_last_quantize(walk);
    int ends = walk->op == walk->model->n_ops;
    layer->last = layer->last || ends || !BP_TRAIN_HAS_HIDDEN_LAYERS;
    if (layer->last && (layer->activation != BP_ACT_NONE || !bp_train_is_dense(layer))) {
        walk->op = layer->op;
        return BP_E_UNSUPPORTED;
    }
    if (layer->last && (!ends || bp_model_output(walk->model, 0) != walk->tensor)) {
        return BP_E_UNSUPPORTED;
    }
    return BP_OK;
}

/* The next layer, and what may follow it. On failure walk->op names the op. */
static bp_status_t walk_layer(bp_train_t *t, walk_t *walk, bp_train_layer_t *layer) {
    *layer = (bp_train_layer_t){0};
    uint16_t index = walk->n_layers;
    if (index >= BP_TRAIN_MAX_STEPS) {
        return BP_E_UNSUPPORTED;
    }
    BP_TRY(read_layer(t, walk, layer));
    BP_TRY(walk_output(t, walk, layer));
    if (BP_TRAIN_HAS_RESCALING && walk->config->window != 0 && check_window(walk, layer) != BP_OK) {
        walk->op = layer->op;
        return BP_E_UNSUPPORTED;
    }
    if (!layer->frozen && t->lowest > index) {
        t->lowest = index;
    }
    if (BP_TRAIN_HAS_KEPT && walk->config->kept != 0 && walk->edges.crosses) {
        walk->op = layer->op;
        return BP_E_UNSUPPORTED;
    }
    place_state(walk, layer);
    place_copy(walk, layer);
    place_scratch(walk, layer);
    walk->before = *layer;
    ++walk->n_layers;
    return BP_OK;
}

/* Errors come to every layer: the last one alone is read by none. */
static bp_status_t check_all_are_read(walk_t *walk) {
    uint16_t l = 0;
    while (!(walk->edges.unread[l >> 5] >> (l & 31) & 1)) {
        ++l;
    }
    const bp_status_t status = l == walk->n_layers - 1 ? BP_OK : BP_E_UNSUPPORTED;
    if (status != BP_OK) {
        walk->op = bp_train_op_of(walk->model, walk->first_op, l);
    }
    return status;
}

static bp_status_t walk_layers(bp_train_t *t, walk_t *walk, bp_train_layer_t *layers,
                               uint16_t *n_out) {
    bp_train_layer_t layer;
    walk->op = t->first_op;
    walk->tensor = t->features;
    if (BP_TRAIN_HAS_BRANCHES) {
        walk->first_op = t->first_op;
        walk->has_branches = (uint8_t)bp_train_has_joins(walk->model, t->first_op);
    }
    if (BP_TRAIN_HAS_FROZEN_PART) {
        walk->dense = bp_train_count(walk->model, t->first_op, 0);
        walk->convs = bp_train_count(walk->model, t->first_op, 1);
        walk->all_convs = bp_train_count(walk->model, walk->model->n_ops, 1);
    }
    do {
        BP_TRY(walk_layer(t, walk, &layer));
        if (layers != NULL) {
            *layers++ = layer;
        }
    } while (!layer.last);
    *n_out = layer.n_out;
    if (HAS_BRANCHES(walk)) {
        BP_TRY(check_all_are_read(walk));
    }
    if (BP_TRAIN_HAS_AUTOENCODERS && (walk->config->flags & BP_TRAIN_AUTOENCODER) != 0) {
        walk->op = layer.op;
        return bp_train_check_autoencoder(t, walk->model, layer.n_out);
    }
    return BP_OK;
}

/* Where errors wait. */
static void place_held(walk_t *walk) {
    const uint32_t held = take(&walk->scratch, (total_t)walk->edges.most);
    for (uint16_t i = 0; walk->edges.edges != NULL && i < walk->edges.n; ++i) {
        bp_train_edge_t *edge = walk->edges.edges + i;
        edge->held += edge->held == 0 ? 0 : held - 1;
    }
}

static void place_shared(bp_train_t *t, walk_t *walk, uint16_t n_out) {
    if (walk->n_layers > 1) {
        t->backward = take(&walk->scratch, (total_t)4 * walk->widest);
    }
    if (BP_TRAIN_HAS_AUTOENCODERS && (walk->config->flags & BP_TRAIN_AUTOENCODER) != 0) {
        t->input = take(&walk->scratch, n_out);
    }
    t->kept = 0;
    if (BP_TRAIN_HAS_KEPT && walk->config->kept != 0) {
        const uint32_t features = bp_record_elems(bp_tensor_record(walk->model, t->features));
        const int is_alone = walk->n_layers == 1;
        t->kept = take(&walk->state, (total_t)bp_train_kept_bytes(walk->config, features));
        t->means = take(&walk->scratch, is_alone ? (total_t)2 * sizeof(int32_t) * features : 0);
    }
    if (BP_TRAIN_HAS_IMAGES && (walk->errors | walk->sums | walk->row) != 0) {
        t->errors = take(&walk->scratch, walk->errors);
        t->sums = take(&walk->scratch, walk->sums);
        t->row = take(&walk->scratch, walk->row);
    }
    if (HAS_BRANCHES(walk)) {
        place_held(walk);
    }
}

/* What only the pool behind it reads is where sums will be. */
static void place_outputs(const bp_train_t *t, bp_train_layer_t *layers, uint16_t n) {
    for (uint16_t l = 0; l + 1 < n; ++l) {
        layers[l].y = layers[l].y == 0 ? t->sums : layers[l].y;
    }
}

/* The walk. begin: where copies and scratch begin, known after the first one. layers: NULL when
 * planning. */
static bp_status_t lay_out(bp_train_t *t, walk_t *walk, const bp_model_t *model,
                           const bp_train_config_t *config, const begin_t *begin,
                           bp_train_layer_t *layers) {
    *walk = (walk_t){0};
    walk->model = model;
    walk->config = config;
    if (BP_TRAIN_HAS_BRANCHES && layers != NULL) {
        walk->edges.edges = (bp_train_edge_t *)(void *)(layers + t->n_layers);
    }
    walk->state = sizeof(bp_train_head_t);
    walk->copies = begin->copies;
    walk->scratch = begin->scratch;
    t->lowest = BP_TRAIN_NONE;
    t->softmax_op = BP_TRAIN_NONE;
    uint16_t n_out;
    BP_TRY(walk_layers(t, walk, layers, &n_out));
    place_shared(t, walk, n_out);
    if (BP_TRAIN_HAS_IMAGES && layers != NULL) {
        place_outputs(t, layers, walk->n_layers);
    }
    return BP_OK;
}

static bp_status_t check_image(const bp_train_t *t, const bp_model_t *model,
                               const bp_train_config_t *config) {
    BP_TRY(bp_train_check_regions(model, t->first_op));
    return BP_TRAIN_HAS_RESCALING && config->window != 0 ? bp_train_check_tensors(model) : BP_OK;
}

bp_status_t bp_train_plan_memory(bp_train_t *t, uint16_t *op, const bp_model_t *model,
                                 const bp_train_config_t *config) {
    walk_t walk;
    *op = 0;
    if (bp_record_is_rows(bp_tensor_record(model, bp_model_input(model, 0)))) {
        return BP_E_KIND;
    }
    BP_TRY(check_config(config));
    BP_TRY(bp_train_find_frozen(t, op, model, config));
    const begin_t none = {0, 0};
    const bp_status_t status = lay_out(t, &walk, model, config, &none, NULL);
    *op = walk.op;
    BP_TRY(status);
    if (config->kept != 0 && !bp_train_has_classes(t)) {
        *op = (uint16_t)(model->n_ops - 1);
        return BP_E_UNSUPPORTED;
    }
    BP_TRY(check_image(t, model, config));
    uint32_t records = walk.n_layers * (uint32_t)sizeof(bp_train_layer_t);
    if (BP_TRAIN_HAS_BRANCHES) {
        t->n_edges = walk.edges.n;
        records += t->n_edges * (uint32_t)sizeof(bp_train_edge_t);
    }
    const total_t state = walk.state + walk.copies;
    const total_t all = state + walk.scratch + records;
    if (all > INT32_MAX) {
        return BP_E_SPACE;
    }
    t->n_layers = walk.n_layers;
    t->copies = (uint32_t)walk.state;
    t->state_bytes = (uint32_t)state;
    t->layers = (uint32_t)(state + walk.scratch);
    t->memory_bytes = (uint32_t)all;
    return BP_OK;
}

void bp_train_place_layers(bp_train_t *t) {
    walk_t walk;
    const begin_t begin = {t->copies, t->state_bytes};
    const bp_status_t status =
        lay_out(t, &walk, &t->model, &t->config, &begin, bp_train_layer(t, 0));
    BP_ASSERT(status == BP_OK && walk.scratch == t->layers);
    (void)status;
}

bp_status_t bp_train_plan(uint32_t *memory_bytes, uint32_t *state_bytes, uint16_t *layer,
                          const bp_model_t *model, const bp_train_config_t *config) {
    bp_train_t t;
    const bp_status_t status = bp_train_plan_memory(&t, layer, model, config);
    *memory_bytes = status == BP_OK ? t.memory_bytes : 0;
    *state_bytes = status == BP_OK ? t.state_bytes : 0;
    return status;
}
