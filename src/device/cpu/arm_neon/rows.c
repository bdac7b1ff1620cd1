/* rows.c - operations on one row of floats, four lanes at a time. */
#include <arm_neon.h>

#include "device/cpu/arm_neon/neon.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "numeric/reduce.h"

float neon_lane_tree(float lane[256])
{
    for (int s = 128; s >= 4; s /= 2)
        for (int j = 0; j < s; j += 4)
            vst1q_f32(lane + j, vaddq_f32(vld1q_f32(lane + j), vld1q_f32(lane + j + s)));
    float a = lane[0] + lane[2], b = lane[1] + lane[3];
    return a + b;
}

void neon_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float lane[REDUCE_LANES] = {0};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        float *l = lane + i % REDUCE_LANES;
        float32x4_t v = vld1q_f32(x + i);
        vst1q_f32(l, vaddq_f32(vld1q_f32(l), vmulq_f32(v, v)));
    }
    for (; i < n; i++)
        lane[i % REDUCE_LANES] += x[i] * x[i];
    float r = num_rsqrt(neon_lane_tree(lane) * num_recip((float)n) + eps);
    for (i = 0; i + 4 <= n; i += 4)
        vst1q_f32(y + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), r), vld1q_f32(w + i)));
    for (; i < n; i++)
        y[i] = x[i] * r * w[i];
}

static float32x4_t mul_add(float32x4_t p, float32x4_t f, float c)
{
    return vaddq_f32(vmulq_f32(p, f), vdupq_n_f32(c)); /* two roundings: vmlaq may fuse */
}

/* num_exp2 for x in [-126, 127]. */
static float32x4_t exp2_4(float32x4_t x)
{
    const float32x4_t magic = vdupq_n_f32(0x1.8p23f);
    float32x4_t n = vsubq_f32(vaddq_f32(x, magic), magic), f = vsubq_f32(x, n);
    float32x4_t p = mul_add(vdupq_n_f32(0x1.5bba14p-10f), f, 0x1.3cea88p-7f);
    p = mul_add(p, f, 0x1.c6b752p-5f);
    p = mul_add(p, f, 0x1.ebf9bcp-3f);
    p = mul_add(p, f, 0x1.62e42ap-1f);
    p = mul_add(p, f, 1.0f);
    int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    float32x4_t y = vmulq_f32(p, vreinterpretq_f32_s32(power));
    return vbslq_f32(vcltq_f32(n, vdupq_n_f32(-125.0f)), vdupq_n_f32(0), y);
}

/* num_recip for positive x. */
static float32x4_t recip_4(float32x4_t x)
{
    int32x4_t bits = vsubq_s32(vdupq_n_s32(0x7ef311c3), vreinterpretq_s32_f32(x));
    float32x4_t y = vreinterpretq_f32_s32(bits);
    for (int i = 0; i < 3; i++)
        y = vaddq_f32(y, vmulq_f32(y, vsubq_f32(vdupq_n_f32(1.0f), vmulq_f32(x, y))));
    return y;
}

static float32x4_t clamp_4(float32x4_t x, float limit)
{
    /* NaN: num_max(x, -limit) gives -limit, as the scalar comparison does. */
    float32x4_t lo = vdupq_n_f32(-limit), hi = vdupq_n_f32(limit);
    x = vbslq_f32(vcgtq_f32(x, lo), x, lo);
    return vbslq_f32(vcltq_f32(x, hi), x, hi);
}

void neon_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y)
{
    uint32_t i = 0;
    for (; fn == ACT_FN_SILU && i + 4 <= n; i += 4) {
        float32x4_t g = vld1q_f32(gate + i);
        float32x4_t e = exp2_4(vmulq_n_f32(clamp_4(g, 60.0f), -0x1.715476p+0f));
        float32x4_t s = recip_4(vaddq_f32(vdupq_n_f32(1.0f), e));
        vst1q_f32(y + i, vmulq_f32(vmulq_f32(g, s), vld1q_f32(up + i)));
    }
    scalar_glu(fn, gate + i, up + i, n - i, y + i);
}
