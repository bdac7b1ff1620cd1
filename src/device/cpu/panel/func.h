/* func.h - numeric/func.h over vectors, operation by operation. */
#ifndef DEVICE_CPU_PANEL_FUNC_H
#define DEVICE_CPU_PANEL_FUNC_H

#include "numeric/func.h"

static inline VF vf_clamp(VF x, float low, float high)
{
    return vf_min(vf_max(x, vf_set1(low)), vf_set1(high));
}

/* p * x + c */
static inline VF vf_step(VF p, VF x, float c)
{
    return vf_add(vf_mul(p, x), vf_set1(c));
}

static inline VF vf_sign_of(VF r, VF x)
{
    return vi_as_f(vi_or(vf_as_i(r), vi_and(vf_as_i(x), vi_set1(INT32_MIN))));
}

static inline VF vf_exp2(VF x)
{
    VF c = vf_clamp(x, -126.0f, 127.0f);
    VI i = vf_to_i(c);
    VF n = vi_to_f(i), f = vf_sub(c, n);
    VF p = vf_set1(0x1.5bba14p-10f);
    p = vf_step(p, f, 0x1.3cea88p-7f);
    p = vf_step(p, f, 0x1.c6b752p-5f);
    p = vf_step(p, f, 0x1.ebf9bcp-3f);
    p = vf_step(p, f, 0x1.62e42ap-1f);
    p = vf_step(p, f, 1.0f);
    VF power = vi_as_f(vi_sll(vi_add(i, vi_set1(127)), 23));
    return vf_less(n, vf_set1(-125.0f), vf_zero(), vf_mul(p, power));
}

static inline VF vf_recip(VF x)
{
    VF a = vf_abs(x);
    VF y = vi_as_f(vi_sub(vi_set1(0x7ef311c3), vf_as_i(a)));
    for (int i = 0; i < 3; i++)
        y = vf_add(y, vf_mul(y, vf_sub(vf_set1(1.0f), vf_mul(a, y))));
    return vf_sign_of(y, x);
}

static inline VF vf_sigmoid(VF x)
{
    VF c = vf_clamp(x, -60.0f, 60.0f);
    VF e = vf_exp2(vf_mul(c, vf_set1(-0x1.715476p+0f)));
    return vf_recip(vf_add(vf_set1(1.0f), e));
}

static inline VF vf_tanh(VF x)
{
    VF a = vf_abs(x), u = vf_mul(x, x), one = vf_set1(1.0f);
    VF p = vf_set1(0x1.1901c4p-6f);
    p = vf_step(p, u, -0x1.b220f6p-5f);
    p = vf_step(p, u, 0x1.10e4e4p-3f);
    p = vf_step(p, u, -0x1.5554a8p-2f);
    p = vf_step(p, u, 1.0f);
    VF e = vf_exp2(vf_mul(vf_min(a, vf_set1(20.0f)), vf_set1(-0x1.715476p+1f)));
    VF big = vf_mul(vf_sub(one, e), vf_recip(vf_add(one, e)));
    return vf_sign_of(vf_less(a, vf_set1(0.5f), vf_mul(p, a), big), x);
}

static inline VF vf_erf(VF x)
{
    VF a = vf_abs(x), u = vf_mul(x, x), one = vf_set1(1.0f);
    VF p = vf_set1(0x1.355342p-8f);
    p = vf_step(p, u, -0x1.b667d6p-6f);
    p = vf_step(p, u, 0x1.ce2524p-4f);
    p = vf_step(p, u, -0x1.812732p-2f);
    p = vf_step(p, u, 0x1.20dd74p+0f);
    VF b = vf_min(a, vf_set1(5.0f));
    VF t = vf_recip(vf_add(one, vf_mul(vf_set1(0.3275911f), b)));
    VF q = vf_set1(1.061405429f);
    q = vf_step(q, t, -1.453152027f);
    q = vf_step(q, t, 1.421413741f);
    q = vf_step(q, t, -0.284496736f);
    q = vf_step(q, t, 0.254829592f);
    VF e = vf_exp2(vf_mul(vf_mul(b, b), vf_set1(-0x1.715476p+0f)));
    VF big = vf_sub(one, vf_mul(vf_mul(q, t), e));
    return vf_sign_of(vf_less(a, vf_set1(0.5f), vf_mul(p, a), big), x);
}

static inline VF vf_silu(VF x)
{
    return vf_mul(x, vf_sigmoid(x));
}

static inline VF vf_gelu_tanh(VF x)
{
    VF c = vf_clamp(x, -20.0f, 20.0f);
    VF cube = vf_mul(vf_mul(c, c), c);
    VF inner = vf_mul(vf_set1(0x1.988454p-1f), vf_add(c, vf_mul(vf_set1(0.044715f), cube)));
    return vf_mul(vf_mul(vf_set1(0.5f), x), vf_add(vf_set1(1.0f), vf_tanh(inner)));
}

static inline VF vf_gelu_erf(VF x)
{
    VF e = vf_erf(vf_mul(x, vf_set1(0x1.6a09e6p-1f)));
    return vf_mul(vf_mul(vf_set1(0.5f), x), vf_add(vf_set1(1.0f), e));
}

#endif
