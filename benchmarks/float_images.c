/* SGD of networks of images in float32, one sample at a time: what training in integers is compared
 * with. Compiled and called by training_images.py, which describes the layers, and by
 * fine_tuning_images.py. */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CONV, DEPTHWISE, MAXIMUM, MEAN, ADD, DENSE };

/* A layer and its place: images are [height][width][channels], weights have the outputs last. */
typedef struct {
    int32_t kind;
    int32_t kernel, stride, pad;
    int32_t x_height, x_width, x_channels;
    int32_t y_height, y_width, y_channels;
    int32_t other; /* ADD: the layer whose output is added */
    int32_t relu;
    int32_t weights; /* how many */
    float *w, *b;
    float *gw, *gb; /* gradients */
    float *y, *d;   /* output, and the error there */
} layer_t;

/* ---- one layer ---- */

static int outputs(const layer_t *l) {
    return l->y_height * l->y_width * l->y_channels;
}

/* The inner loops, which compilers unroll where the number of channels is one of those of the networks. */
#define FOR_CHANNELS(n, BODY)                                                                      \
    switch (n) {                                                                                   \
    case 4: for (int c = 0; c < 4; ++c) { BODY; } break;                                           \
    case 8: for (int c = 0; c < 8; ++c) { BODY; } break;                                           \
    case 16: for (int c = 0; c < 16; ++c) { BODY; } break;                                         \
    case 32: for (int c = 0; c < 32; ++c) { BODY; } break;                                         \
    case 64: for (int c = 0; c < 64; ++c) { BODY; } break;                                         \
    default: for (int c = 0; c < (n); ++c) { BODY; }                                               \
    }

static inline void add_times(float *restrict y, const float *restrict w, float a, int n) {
    FOR_CHANNELS(n, y[c] += w[c] * a)
}

static inline void add_products(float *restrict y, const float *restrict w,
                                const float *restrict a, int n) {
    FOR_CHANNELS(n, y[c] += w[c] * a[c])
}

static inline float dot(const float *restrict w, const float *restrict a, int n) {
    float sum = 0;
    FOR_CHANNELS(n, sum += w[c] * a[c])
    return sum;
}

/* Input pixel of a tap of output pixel (row, column); NULL outside the image. */
static const float *pixel(const layer_t *l, const float *x, int row, int column, int tap) {
    const int v = row * l->stride - l->pad + tap / l->kernel;
    const int u = column * l->stride - l->pad + tap % l->kernel;
    const int is_inside = v >= 0 && u >= 0 && v < l->x_height && u < l->x_width;
    return is_inside ? x + (v * l->x_width + u) * l->x_channels : NULL;
}

static void forward_pixel(const layer_t *l, const float *x, int row, int column, float *y) {
    const int n = l->y_channels, m = l->x_channels;
    memcpy(y, l->b, (size_t)n * sizeof *y);
    for (int tap = 0; tap < l->kernel * l->kernel; ++tap) {
        const float *at = pixel(l, x, row, column, tap);
        if (at == NULL) {
            continue;
        }
        if (l->kind == DEPTHWISE) {
            add_products(y, l->w + tap * n, at, n);
            continue;
        }
        for (int i = 0; i < m; ++i) {
            if (at[i] != 0) {
                add_times(y, l->w + (tap * m + i) * n, at[i], n);
            }
        }
    }
}

static int is_zero(const float *d, int n) {
    int c = 0;
    while (c < n && d[c] == 0) {
        ++c;
    }
    return c == n;
}

static void backward_pixel(const layer_t *l, const float *x, int row, int column, const float *d,
                           float *below) {
    const int n = l->y_channels, m = l->x_channels;
    if (is_zero(d, n)) {
        return;
    }
    for (int c = 0; c < n; ++c) {
        l->gb[c] += d[c];
    }
    for (int tap = 0; tap < l->kernel * l->kernel; ++tap) {
        const float *at = pixel(l, x, row, column, tap);
        if (at == NULL) {
            continue;
        }
        float *h = below == NULL ? NULL : below + (at - x);
        if (l->kind == DEPTHWISE) {
            add_products(l->gw + tap * n, at, d, n);
            if (h != NULL) {
                add_products(h, l->w + tap * n, d, n);
            }
            continue;
        }
        for (int i = 0; i < m; ++i) {
            const int row_at = (tap * m + i) * n;
            if (at[i] != 0) {
                add_times(l->gw + row_at, d, at[i], n);
            }
            if (h != NULL) {
                h[i] += dot(l->w + row_at, d, n);
            }
        }
    }
}

/* The greatest value of each channel in a window, and where it is: the first one. */
static int greatest(const layer_t *l, const float *x, int row, int column, int c) {
    int best = -1;
    for (int tap = 0; tap < l->kernel * l->kernel; ++tap) {
        const float *at = pixel(l, x, row, column, tap);
        if (at != NULL && (best < 0 || at[c] > x[best])) {
            best = (int)(at - x) + c;
        }
    }
    return best;
}

static void forward_layer(const layer_t *l, const layer_t *all, const float *x) {
    const int n = outputs(l), pixels = l->x_height * l->x_width;
    memset(l->y, 0, (size_t)n * sizeof *l->y);
    for (int p = 0; p < l->y_height * l->y_width; ++p) {
        const int row = p / l->y_width, column = p % l->y_width;
        float *y = l->y + p * l->y_channels;
        if (l->kind == CONV || l->kind == DEPTHWISE || l->kind == DENSE) {
            forward_pixel(l, x, row, column, y);
        }
        for (int c = 0; l->kind == MAXIMUM && c < l->y_channels; ++c) {
            y[c] = x[greatest(l, x, row, column, c)];
        }
    }
    for (int i = 0; l->kind == ADD && i < n; ++i) {
        l->y[i] = x[i] + all[l->other].y[i];
    }
    for (int i = 0; l->kind == MEAN && i < pixels * n; ++i) {
        l->y[i % n] += x[i] / (float)pixels;
    }
    for (int i = 0; l->relu && i < n; ++i) {
        l->y[i] = l->y[i] > 0 ? l->y[i] : 0;
    }
}

/* below: NULL for the first layer that learns. Errors are added there. */
static void backward_layer(const layer_t *l, const layer_t *all, const float *x, float *below) {
    const int n = outputs(l), pixels = l->x_height * l->x_width;
    for (int i = 0; l->relu && i < n; ++i) {
        l->d[i] = l->y[i] > 0 ? l->d[i] : 0;
    }
    for (int p = 0; p < l->y_height * l->y_width; ++p) {
        const int row = p / l->y_width, column = p % l->y_width;
        const float *d = l->d + p * l->y_channels;
        if (l->kind == CONV || l->kind == DEPTHWISE || l->kind == DENSE) {
            backward_pixel(l, x, row, column, d, below);
        }
        for (int c = 0; l->kind == MAXIMUM && c < l->y_channels; ++c) {
            below[greatest(l, x, row, column, c)] += d[c];
        }
    }
    for (int i = 0; l->kind == ADD && i < n; ++i) {
        below[i] += l->d[i];
        all[l->other].d[i] += l->d[i];
    }
    for (int i = 0; l->kind == MEAN && i < pixels * n; ++i) {
        below[i] += l->d[i % n] / (float)pixels;
    }
}

/* ---- the network ---- */

static void forward(const layer_t *layers, int n, const float *x) {
    for (int i = 0; i < n; ++i) {
        forward_layer(layers + i, layers, i == 0 ? x : layers[i - 1].y);
    }
}

/* first: the first layer that learns. */
static void step(const layer_t *layers, int n, int first, const float *x, int label, float rate) {
    const layer_t *last = layers + n - 1;
    const int classes = outputs(last);
    float most = last->y[0], sum = 0;
    for (int i = 0; i < n; ++i) {
        memset(layers[i].d, 0, (size_t)outputs(layers + i) * sizeof(float));
        memset(layers[i].gw, 0, (size_t)layers[i].weights * sizeof(float));
        memset(layers[i].gb, 0, (size_t)layers[i].y_channels * sizeof(float));
    }
    for (int c = 1; c < classes; ++c) {
        most = last->y[c] > most ? last->y[c] : most;
    }
    for (int c = 0; c < classes; ++c) {
        sum += last->d[c] = expf(last->y[c] - most);
    }
    for (int c = 0; c < classes; ++c) {
        last->d[c] = last->d[c] / sum - (float)(c == label);
    }
    for (int i = n - 1; i >= first; --i) {
        backward_layer(layers + i, layers, i == 0 ? x : layers[i - 1].y,
                       i == first ? NULL : layers[i - 1].d);
    }
    for (int i = first; i < n; ++i) {
        for (int k = 0; k < layers[i].weights; ++k) {
            layers[i].w[k] -= rate * layers[i].gw[k];
        }
        for (int k = 0; layers[i].weights != 0 && k < layers[i].y_channels; ++k) {
            layers[i].b[k] -= rate * layers[i].gb[k];
        }
    }
}

static int answer(const layer_t *last) {
    int best = 0;
    for (int c = 1; c < outputs(last); ++c) {
        best = last->y[c] > last->y[best] ? c : best;
    }
    return best;
}

/* Samples of `values` numbers each, in this order, each with its rate. The layers before `first`
 * are frozen; it has weights. */
void learn(const layer_t *layers, int32_t n_layers, int32_t first, const float *x, int32_t values,
           const uint8_t *labels, const uint32_t *order, const float *rates, int32_t n) {
    for (int32_t k = 0; k < n; ++k) {
        const float *sample = x + (int64_t)order[k] * values;
        forward(layers, n_layers, sample);
        step(layers, n_layers, first, sample, labels[order[k]], rates[k]);
    }
}

int32_t correct(const layer_t *layers, int32_t n_layers, const float *x, int32_t values,
                const uint8_t *labels, int32_t n) {
    int32_t found = 0;
    for (int32_t k = 0; k < n; ++k) {
        forward(layers, n_layers, x + (int64_t)k * values);
        found += answer(layers + n_layers - 1) == labels[k];
    }
    return found;
}
