#include "table.h"

#include <math.h>

static float computed(int function, float x) {
    switch (function) {
    case BP_FUNCTION_LOGISTIC:
        return 1.0f / (1.0f + expf(-x));
    case BP_FUNCTION_TANH:
        return tanhf(x);
    default:
        return x < 0.0f ? expm1f(x) : x;
    }
}

static float moved(float x, float towards) {
    for (int i = 0; i < BP_FUNCTION_ULPS; ++i) {
        x = nextafterf(x, towards);
    }
    return x;
}

static int8_t quantised(float real, const bp_function_t *p) {
    const float inverse = 1.0f / p->y_scale;
    const float steps = roundf(real * inverse) + (float)p->y_zp;
    return (int8_t)(steps < -128.0f ? -128.0f : steps > 127.0f ? 127.0f : steps);
}

void bp_function_table(int8_t *values, int8_t *low, int8_t *high, int function,
                       const bp_function_t *p) {
    for (int32_t x = -128; x < 128; ++x) {
        const uint8_t at = (uint8_t)x;
        const float real = computed(function, p->x_scale * (float)(x - p->x_zp));
        values[at] = quantised(real, p);
        low[at] = quantised(moved(real, -INFINITY), p);
        high[at] = quantised(moved(real, INFINITY), p);
    }
}
