#include "train/scales.h"

#include <byteprop/fixed.h>
#include <byteprop/kernels.h>

#include "ops/joins.h"
#include "ops/mean.h"
#include "ops/softmax.h"
#include "train/kernels/kernels.h"
#include "train/state.h"

/* A scale is doubled or halved: shifts, biases, tables and the scales of other tensors follow. Whether
 * all of them can is asked before the first one is changed. */

enum { MIN_LSHIFT = -31, MAX_LSHIFT = 30 };
/* The shift of an ADD's output where it has the scale of the coarser input. */
enum { SUM_BITS = 18 };

/* By how many powers of two the scales of an op's inputs and output change. */
typedef struct {
    int8_t x;
    int8_t second; /* of an ADD */
    int8_t y;
} change_t;

/* ---- float32 scales ---- */

static uint32_t scaled_f32(uint32_t bits, int8_t exponent) {
    return bits + (uint32_t)((int32_t)exponent * 0x800000);
}

static void scale_f32(const bp_train_t *t, uint32_t offset, int8_t exponent) {
    bp_image_put_u32(t->image, offset, scaled_f32(bp_image_u32(t->image, offset), exponent));
}

static int can_scale_f32(const bp_train_t *t, uint32_t offset, int8_t exponent) {
    int32_t biased = (int32_t)(bp_image_u32(t->image, offset) >> 23) + exponent;
    return biased >= 1 && biased <= 254;
}

static uint32_t scale_of(const bp_train_t *t, uint16_t tensor) {
    return bp_image_u32(t->image, bp_image_scale_offset(&t->model, tensor));
}

/* ---- layers with weights ---- */

int32_t bp_halved(int32_t x) {
    return (int32_t)(((int64_t)x + 1) >> 1);
}

static int32_t doubled(int32_t x) {
    return bp_saturated(2 * (int64_t)x, BP_MASTER_LIMIT);
}

/* Multipliers, shifts and scales of weights: one of each, of a convolution one per row. */
static uint16_t scalings(const bp_train_layer_t *layer) {
    return bp_train_is_dense(layer) ? 1 : layer->n_out;
}

int bp_scales_can_shift(const bp_train_t *t, const bp_train_layer_t *layer, int8_t by) {
    const uint16_t n = scalings(layer);
    for (uint16_t j = 0; j < n; ++j) {
        const int16_t lshift = (int16_t)((int8_t)t->image[(size_t)layer->lshift + j] + by);
        /* A scale that is too small for a multiplier has no shift either. */
        if (bp_image_u32(t->image, layer->mult_q31 + (uint32_t)4 * j) == 0 ||
            lshift < MIN_LSHIFT || lshift > MAX_LSHIFT) {
            return 0;
        }
    }
    return 1;
}

static void shift(const bp_train_t *t, const bp_train_layer_t *layer, int8_t by) {
    const uint16_t n = scalings(layer);
    for (uint16_t j = 0; j < n; ++j) {
        uint8_t *lshift = t->image + (size_t)layer->lshift + j;
        *lshift = (uint8_t)((int8_t)*lshift + by);
    }
}

static void for_biases(const bp_train_t *t, const bp_train_layer_t *layer,
                       int32_t (*change)(int32_t)) {
    int32_t *master = bp_train_i32(t, layer->bias_master);
    for (uint16_t j = 0; j < layer->n_out; ++j) {
        master[j] = change(master[j]);
        if (layer->bias_gradient != 0) {
            int32_t *g = bp_train_i32(t, layer->bias_gradient) + j;
            *g = change(*g);
        }
    }
    bp_train_fold_biases(t, layer);
}

int bp_scales_can_double_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    return can_scale_f32(t, layer->weight_scales, 1);
}

void bp_scales_double_weights(const bp_train_t *t, const bp_train_layer_t *layer) {
    const uint16_t n = scalings(layer);
    for (uint16_t j = 0; j < n; ++j) {
        scale_f32(t, layer->weight_scales + (uint32_t)4 * j, 1);
    }
    for_biases(t, layer, bp_halved);
    shift(t, layer, 1);
}

/* ---- softmax ---- */

/* Multiplier and shift of softmax's input to Q5.26, from the float32 bits of beta and scale, as the
 * image's maker derives them; returns 0 when they leave their range. */
static int softmax_scaling(uint32_t beta, uint32_t scale, int32_t *mult_q31, int16_t *lshift) {
    uint64_t product = (uint64_t)((beta & 0x7FFFFF) | 0x800000) * ((scale & 0x7FFFFF) | 0x800000);
    uint8_t bits = product >> 47 != 0 ? 48 : 47;
    uint8_t rshift = (uint8_t)(bits - 31);
    uint32_t mult = (uint32_t)((product + ((uint64_t)1 << (rshift - 1))) >> rshift);
    *lshift = (int16_t)((int16_t)(beta >> 23) + (int16_t)(scale >> 23) - 300 + 26 + bits);
    if (mult >> 31) {
        mult >>= 1;
        ++*lshift;
    }
    *mult_q31 = (int32_t)mult;
    /* With 1 the scale could be 2^-26, which a softmax does not take. */
    return *lshift > 1 && *lshift <= MAX_LSHIFT;
}

static int can_renew_softmax(const bp_op_t *op, uint32_t scale) {
    int32_t mult_q31;
    int16_t lshift;
    return softmax_scaling(bp_softmax_beta_f32(op), scale, &mult_q31, &lshift);
}

/* Q5.26 holds differences up to 31. */
static int32_t diff_min_of(int16_t lshift) {
    return -(((int32_t)31 << 26) >> lshift);
}

/* The exponentials of the softmax for another scale of its input. */
static void renew_softmax(const bp_train_t *t, const bp_op_t *op, uint32_t scale) {
    int32_t mult_q31;
    int16_t lshift;
    (void)softmax_scaling(bp_softmax_beta_f32(op), scale, &mult_q31, &lshift);
    for (uint16_t d = 0; d < 256; ++d) {
        const int32_t e = bp_softmax_exp(d, mult_q31, (int8_t)lshift, diff_min_of(lshift));
        bp_image_put_u32(t->image, bp_softmax_table(op) + (uint32_t)4 * d, (uint32_t)e);
    }
}

/* ---- mean ---- */

/* The shift that belongs to the quotient of two scales: their exponents' difference, and one more
 * where the first has the larger fraction. */
static int16_t quotient_lshift(uint32_t x, uint32_t y) {
    const int is_larger = (x & 0x7FFFFF) >= (y & 0x7FFFFF);
    return (int16_t)((int16_t)(x >> 23) - (int16_t)(y >> 23) + is_larger);
}

/* With a shift in this range a mean's multiplier, which is divided by the number of values, has the same
 * bits. */
static int can_shift_mean(const bp_train_t *t, const bp_op_t *op, int8_t by) {
    const uint16_t x = bp_op_input(op, 0), y = bp_op_output(op, 0);
    uint32_t n = bp_record_elems(bp_tensor_record(&t->model, x)) /
                 bp_record_elems(bp_tensor_record(&t->model, y));
    const int16_t lshift = quotient_lshift(scale_of(t, x), scale_of(t, y));
    int16_t least = MIN_LSHIFT;
    for (; n > 1; n /= 2) {
        ++least;
    }
    return lshift >= least && lshift + by >= least && lshift <= MAX_LSHIFT &&
           lshift + by <= MAX_LSHIFT;
}

static void shift_mean(const bp_train_t *t, const bp_op_t *op, int8_t by) {
    const uint32_t offset = (uint32_t)(op->params - t->model.image) + BP_MEAN_LSHIFT;
    const int32_t lshift = (int32_t)bp_image_u32(t->image, offset) + by;
    bp_image_put_u32(t->image, offset, (uint32_t)lshift);
}

/* ---- sum ---- */

int bp_scales_are_even(const bp_model_t *model, const bp_op_t *op) {
    uint32_t fractions[3];
    for (uint8_t i = 0; i < 3; ++i) {
        const uint16_t tensor = i < 2 ? bp_op_input(op, i) : bp_op_output(op, 0);
        const uint32_t bits = bp_image_u32(model->image, bp_image_scale_offset(model, tensor));
        fractions[i] = bits & 0x7FFFFF;
    }
    return fractions[0] == fractions[1] && fractions[0] == fractions[2];
}

/* The shifts of an ADD, of inputs and output, with scales that change. */
static void sum_lshifts(int16_t lshifts[3], const bp_train_t *t, const bp_op_t *op, change_t by) {
    const int16_t x = (int16_t)((int16_t)(scale_of(t, bp_op_input(op, 0)) >> 23) + by.x);
    const int16_t second = (int16_t)((int16_t)(scale_of(t, bp_op_input(op, 1)) >> 23) + by.second);
    const int16_t y = (int16_t)((int16_t)(scale_of(t, bp_op_output(op, 0)) >> 23) + by.y);
    const int16_t most = x > second ? x : second;
    lshifts[0] = (int16_t)(x - most);
    lshifts[1] = (int16_t)(second - most);
    lshifts[2] = (int16_t)(most - y - SUM_BITS);
}

static int can_shift_sum(const bp_train_t *t, const bp_op_t *op, change_t by) {
    int16_t lshifts[3];
    sum_lshifts(lshifts, t, op, by);
    for (uint8_t i = 0; i < 3; ++i) {
        if (lshifts[i] < MIN_LSHIFT || lshifts[i] > 0) {
            return 0;
        }
    }
    return 1;
}

/* As its scales have become. */
static void shift_sum(const bp_train_t *t, const bp_op_t *op) {
    const change_t none = {0, 0, 0};
    const uint32_t scalings = (uint32_t)(op->params - t->model.image) + BP_ADD_SCALINGS;
    int16_t lshifts[3];
    sum_lshifts(lshifts, t, op, none);
    for (uint8_t i = 0; i < 3; ++i) {
        const int32_t lshift = lshifts[i];
        bp_image_put_u32(t->image, scalings + (uint32_t)8 * i + 4, (uint32_t)lshift);
    }
}

/* ---- any op ---- */

/* Its output has the scale of its input. */
static int passes_on(const bp_op_t *op) {
    return op->code == BP_OP_RESHAPE || (BP_TRAIN_HAS_IMAGES && op->code == BP_OP_POOL_S8);
}

static int is_mean(const bp_op_t *op) {
    return BP_TRAIN_HAS_IMAGES && op->code == BP_OP_MEAN_S8;
}

static int is_sum(const bp_op_t *op) {
    return BP_TRAIN_HAS_BRANCHES && op->code == BP_OP_ADD_S8;
}

static const bp_train_layer_t *layer_of(const bp_train_t *t, uint16_t op) {
    uint16_t l = 0;
    while (l < t->n_layers && bp_train_layer(t, l)->op != op) {
        ++l;
    }
    return l < t->n_layers ? bp_train_layer(t, l) : NULL;
}

static int can_change(const bp_train_t *t, uint16_t index, change_t by) {
    bp_op_t op;
    bp_model_op(&op, &t->model, index);
    const uint32_t y = bp_image_scale_offset(&t->model, bp_op_output(&op, 0));
    const bp_train_layer_t *layer = layer_of(t, index);
    if (by.y != 0 && !can_scale_f32(t, y, by.y)) {
        return 0;
    }
    if (passes_on(&op)) {
        return 1;
    }
    if (op.code == BP_OP_SOFTMAX_S8) {
        return can_renew_softmax(&op, scaled_f32(scale_of(t, bp_op_input(&op, 0)), by.x));
    }
    if (is_mean(&op)) {
        return can_shift_mean(t, &op, (int8_t)(by.x - by.y));
    }
    if (is_sum(&op)) {
        return can_shift_sum(t, &op, by);
    }
    return layer != NULL && bp_scales_can_shift(t, layer, (int8_t)(by.x - by.y));
}

/* Once the scale of the input has changed. */
static void change(const bp_train_t *t, uint16_t index, change_t by) {
    bp_op_t op;
    bp_model_op(&op, &t->model, index);
    const bp_train_layer_t *layer = layer_of(t, index);
    if (by.y != 0) {
        scale_f32(t, bp_image_scale_offset(&t->model, bp_op_output(&op, 0)), by.y);
    }
    if (passes_on(&op)) {
        return;
    }
    if (op.code == BP_OP_SOFTMAX_S8) {
        renew_softmax(t, &op, scale_of(t, bp_op_input(&op, 0)));
    } else if (is_mean(&op)) {
        shift_mean(t, &op, (int8_t)(by.x - by.y));
    } else if (is_sum(&op)) {
        shift_sum(t, &op);
    } else if (layer != NULL) {
        if (by.x != 0) {
            for_biases(t, layer, by.x > 0 ? bp_halved : doubled);
        }
        shift(t, layer, (int8_t)(by.x - by.y));
    }
}

/* ---- a tensor and what reads it ---- */

/* The tensor from which another one has its scale, through reshapes and pools. */
static uint16_t origin(const bp_train_t *t, uint16_t tensor) {
    bp_op_t op;
    for (uint16_t i = t->model.n_ops; i > t->first_op; --i) {
        bp_model_op(&op, &t->model, (uint16_t)(i - 1));
        if (bp_op_output(&op, 0) == tensor && passes_on(&op)) {
            tensor = bp_op_input(&op, 0);
        }
    }
    return tensor;
}

/* How op `index` changes with the scale of a tensor. */
static change_t change_by(const bp_train_t *t, uint16_t index, uint16_t tensor, int8_t exponent) {
    bp_op_t op;
    change_t by = {0, 0, 0};
    bp_model_op(&op, &t->model, index);
    if (origin(t, bp_op_input(&op, 0)) == tensor) {
        by.x = exponent;
        by.y = passes_on(&op) ? exponent : 0;
    }
    if (is_sum(&op) && origin(t, bp_op_input(&op, 1)) == tensor) {
        by.second = exponent;
    }
    return by;
}

int bp_scales_move(const bp_train_t *t, const bp_train_layer_t *layer, int8_t exponent) {
    const change_t own = {0, 0, exponent};
    const uint16_t n = t->model.n_ops, first = (uint16_t)(layer->op + 1);
    int can = can_change(t, layer->op, own);
    for (uint16_t i = first; can && i < n; ++i) {
        const change_t by = change_by(t, i, layer->y_tensor, exponent);
        can = (by.x == 0 && by.second == 0) || can_change(t, i, by);
    }
    if (!can) {
        return 0;
    }
    change(t, layer->op, own);
    for (uint16_t i = first; i < n; ++i) {
        const change_t by = change_by(t, i, layer->y_tensor, exponent);
        if (by.x != 0 || by.second != 0) {
            change(t, i, by);
        }
    }
    return 1;
}
