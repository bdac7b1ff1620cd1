/* scalar_rows.c - the definition of operations on one row of floats. */
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "numeric/reduce.h"

void scalar_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float per_n = num_recip((float)n);
    float r = num_rsqrt(reduce_sum_squares(x, n) * per_n + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * r * w[i];
}

void scalar_layernorm(const float *x, const float *w, const float *b, float eps, uint32_t n,
                      float *y)
{
    float per_n = num_recip((float)n), mean = reduce_sum(x, n) * per_n;
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] - mean;
    float r = num_rsqrt(reduce_sum_squares(y, n) * per_n + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = b ? y[i] * r * w[i] + b[i] : y[i] * r * w[i];
}

static float glu_one(enum act_fn fn, float gate, float up)
{
    switch (fn) {
    case ACT_FN_SILU:
        return num_silu(gate) * up;
    case ACT_FN_GELU_TANH:
        return num_gelu_tanh(gate) * up;
    case ACT_FN_GELU_ERF:
        return num_gelu_erf(gate) * up;
    default: {
        float g = num_min(gate, 7.0f), u = num_min(num_max(up, -7.0f), 7.0f);
        return g * num_sigmoid(g * 1.702f) * (u + 1.0f);
    }
    }
}

void scalar_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = glu_one(fn, gate[i], up[i]);
}

void scalar_rope(float *x, uint32_t n_rot, bool interleaved, const float *cos, const float *sin)
{
    uint32_t half = n_rot / 2;
    for (uint32_t i = 0; i < half; i++) {
        float *a = interleaved ? x + 2 * i : x + i, *b = interleaved ? a + 1 : a + half;
        float u = *a * cos[i] - *b * sin[i];
        float v = *a * sin[i] + *b * cos[i];
        *a = u;
        *b = v;
    }
}

void scalar_add(float *x, const float *y, uint32_t n, float scale)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = x[i] + (scale == 1.0f ? y[i] : y[i] * scale);
}

void scalar_reflect(float *x, const float *v, uint32_t n)
{
    float twice = 2.0f * reduce_dot(v, x, n);
    for (uint32_t i = 0; i < n; i++)
        x[i] = x[i] - twice * v[i];
}
