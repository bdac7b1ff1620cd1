/* rows.h - operations on one row of floats; a row's last lanes go through a padded copy. */
#include <string.h>

#include "device/cpu/panel/func.h"
#include "device/cpu/panel/lanes.h"
#include "device/cpu/scalar.h"

static void row_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float r = num_rsqrt(dot_lanes(x, x, n) * num_recip((float)n) + eps);
    VF each = vf_set1(r);
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), each), vf_load(w + i)));
    for (; i < n; i++)
        y[i] = x[i] * r * w[i];
}

static void row_layernorm(const float *x, const float *w, const float *b, float eps, uint32_t n,
                          float *y)
{
    float per_n = num_recip((float)n), mean = sum_lanes(x, n) * per_n;
    VF center = vf_set1(mean);
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, vf_sub(vf_load(x + i), center));
    for (; i < n; i++)
        y[i] = x[i] - mean;
    float r = num_rsqrt(dot_lanes(y, y, n) * per_n + eps);
    VF each = vf_set1(r);
    for (i = 0; i + LANES <= n; i += LANES) {
        VF v = vf_mul(vf_mul(vf_load(y + i), each), vf_load(w + i));
        vf_store(y + i, b ? vf_add(v, vf_load(b + i)) : v);
    }
    for (; i < n; i++)
        y[i] = b ? y[i] * r * w[i] + b[i] : y[i] * r * w[i];
}

static inline VF glu_vector(enum act_fn fn, VF gate, VF up)
{
    switch (fn) {
    case ACT_FN_SILU:
        return vf_mul(vf_silu(gate), up);
    case ACT_FN_GELU_TANH:
        return vf_mul(vf_gelu_tanh(gate), up);
    case ACT_FN_GELU_ERF:
        return vf_mul(vf_gelu_erf(gate), up);
    default: {
        VF g = vf_min(gate, vf_set1(7.0f)), u = vf_clamp(up, -7.0f, 7.0f);
        VF s = vf_sigmoid(vf_mul(g, vf_set1(1.702f)));
        return vf_mul(vf_mul(g, s), vf_add(u, vf_set1(1.0f)));
    }
    }
}

static void row_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y)
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, glu_vector(fn, vf_load(gate + i), vf_load(up + i)));
    if (i < n)
        scalar_glu(fn, gate + i, up + i, n - i, y + i);
}

static void row_add(float *x, const float *y, uint32_t n, float scale)
{
    uint32_t i = 0;
    VF each = vf_set1(scale);
    for (; i + LANES <= n; i += LANES) {
        VF v = vf_load(y + i);
        vf_store(x + i, vf_add(vf_load(x + i), scale == 1.0f ? v : vf_mul(v, each)));
    }
    if (i < n)
        scalar_add(x + i, y + i, n - i, scale);
}

static void row_reflect(float *x, const float *v, uint32_t n)
{
    float twice = 2.0f * dot_lanes(v, x, n);
    VF each = vf_set1(twice);
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(x + i, vf_sub(vf_load(x + i), vf_mul(each, vf_load(v + i))));
    for (; i < n; i++)
        x[i] = x[i] - twice * v[i];
}

static void rope_pairs(float *x, uint32_t half, const float *cos, const float *sin)
{
    uint32_t i = 0;
    for (; i + LANES / 2 <= half; i += LANES / 2) {
        VF v = vf_load(x + 2 * i), c = vf_load_twice(cos + i), s = vf_load_twice(sin + i);
        VF turned = vf_mul(vf_swap(v), s);
        vf_store(x + 2 * i, vf_add(vf_mul(v, c), vf_negate_even(turned)));
    }
    if (i < half)
        scalar_rope(x + 2 * i, 2 * (half - i), true, cos + i, sin + i);
}

static void row_rope(float *x, uint32_t n_rot, bool interleaved, const float *cos, const float *sin)
{
    uint32_t half = n_rot / 2, i = 0;
    if (interleaved) {
        rope_pairs(x, half, cos, sin);
        return;
    }
    for (; i + LANES <= half; i += LANES) {
        VF a = vf_load(x + i), b = vf_load(x + half + i);
        VF c = vf_load(cos + i), s = vf_load(sin + i);
        vf_store(x + i, vf_sub(vf_mul(a, c), vf_mul(b, s)));
        vf_store(x + half + i, vf_add(vf_mul(a, s), vf_mul(b, c)));
    }
    for (; i < half; i++) {
        float a = x[i], b = x[half + i];
        x[i] = a * cos[i] - b * sin[i];
        x[half + i] = a * sin[i] + b * cos[i];
    }
}
