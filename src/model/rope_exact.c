/* rope_exact.c - the formulas of rope_f64.c in 64-bit fixed point.
 *
 * Every scaling becomes what each frequency is divided by, and a magnitude. */
#include "model/rope_exact.h"

#include "base/check.h"

static struct fx ratio(int64_t a, int64_t b)
{
    return fx_div(fx_int(a), fx_int(b));
}

static struct fx clamp01(struct fx x)
{
    if (x.sign < 0)
        return fx_int(0);
    return fx_cmp(x, fx_int(1)) > 0 ? fx_int(1) : x;
}

static struct fx two_pi(void)
{
    return fx_mul(fx_int(2), fx_pi());
}

/* Largest integer <= a; |a| < 2^31. */
static int64_t fx_floor(struct fx a)
{
    int shift = -a.exponent;
    CHECK(a.mantissa == 0 || shift > 32);
    uint64_t whole = shift > 63 ? 0 : a.mantissa >> shift;
    bool exact = a.mantissa == 0 || (shift <= 63 && whole << shift == a.mantissa);
    return a.sign > 0 ? (int64_t)whole : -(int64_t)whole - !exact;
}

/* YaRN: the pair whose wave turns `turns` times within the original context. */
static struct fx yarn_pair(const struct rope_params *p, uint32_t n_rot, double turns)
{
    struct fx waves = fx_div(fx_int(p->n_ctx_orig), fx_mul(fx_f64(turns), two_pi()));
    return fx_div(fx_mul(fx_int(n_rot), fx_log2(waves)),
                  fx_mul(fx_int(2), fx_log2(fx_f64(p->theta))));
}

static void yarn_divisors(const struct rope_params *p, uint32_t n_rot, struct fx *divisor)
{
    struct fx low = yarn_pair(p, n_rot, p->beta_fast), high = yarn_pair(p, n_rot, p->beta_slow);
    if (p->round_ramp) {
        low = fx_int(fx_floor(low));
        high = fx_int(-fx_floor(fx_neg(high)));
    }
    if (low.sign < 0)
        low = fx_int(0);
    if (fx_cmp(high, fx_int(n_rot - 1)) > 0)
        high = fx_int(n_rot - 1);
    struct fx width = fx_cmp(low, high) == 0 ? ratio(1, 1000) : fx_sub(high, low);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        struct fx slow = clamp01(fx_div(fx_sub(fx_int(i), low), width));
        struct fx keep = fx_sub(fx_int(1), slow);
        struct fx scale = fx_add(fx_div(slow, fx_f64(p->factor)), keep);
        divisor[i] = fx_div(divisor[i], scale);
    }
}

static struct fx frequency(const struct rope_params *p, uint32_t n_rot, uint32_t i)
{
    return fx_pow(fx_f64(p->theta), ratio(-2 * (int64_t)i, n_rot));
}

static void llama3_divisors(const struct rope_params *p, uint32_t n_rot, struct fx *divisor)
{
    struct fx low = fx_f64(p->low_freq_factor), high = fx_f64(p->high_freq_factor);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        struct fx turns = fx_div(fx_mul(fx_int(p->n_ctx_orig), frequency(p, n_rot, i)), two_pi());
        struct fx smooth = clamp01(fx_div(fx_sub(turns, low), fx_sub(high, low)));
        struct fx scale = fx_add(fx_div(fx_sub(fx_int(1), smooth), fx_f64(p->factor)), smooth);
        divisor[i] = fx_div(fx_int(1), scale);
    }
}

/* 0.1 mul ln(factor) + 1 */
static struct fx yarn_mscale(double factor, double mul)
{
    static const struct fx ln2 = {0xb17217f7d1cf79abu, -64, 1};
    if (factor <= 1.0)
        return fx_int(1);
    struct fx ln = fx_mul(fx_log2(fx_f64(factor)), ln2);
    return fx_add(fx_mul(fx_mul(ratio(1, 10), fx_f64(mul)), ln), fx_int(1));
}

static struct fx magnitude(const struct rope_params *p)
{
    if (p->magnitude != 0.0)
        return fx_f64(p->magnitude);
    if (p->scaling == ROPE_SCALING_YARN) {
        struct fx m = yarn_mscale(p->factor, 1.0);
        return p->log_mul != 0.0 ? fx_div(m, yarn_mscale(p->factor, p->log_mul)) : m;
    }
    if (p->scaling == ROPE_SCALING_LONGROPE && p->factor > 1.0)
        return fx_sqrt(
            fx_add(fx_int(1), fx_div(fx_log2(fx_f64(p->factor)), fx_log2(fx_int(p->n_ctx_orig)))));
    return fx_int(1);
}

static void init_one(struct rope *r, const struct rope_params *p, uint32_t n_rot,
                     const float *from_file)
{
    struct fx divisor[ROPE_PAIRS_MAX];
    for (uint32_t i = 0; i < n_rot / 2; i++)
        divisor[i] = from_file ? fx_f64((double)from_file[i]) : fx_int(1);
    if (p->scaling == ROPE_SCALING_LLAMA3 && !from_file)
        llama3_divisors(p, n_rot, divisor);
    if (p->scaling == ROPE_SCALING_YARN)
        yarn_divisors(p, n_rot, divisor);
    for (uint32_t i = 0; p->scaling == ROPE_SCALING_LINEAR && i < n_rot / 2; i++)
        divisor[i] = fx_mul(divisor[i], fx_f64(p->factor));
    rope_init(r, fx_f64(p->theta), n_rot, divisor, magnitude(p));
}

void rope_exact_init(struct rope_exact *r, const struct rope_params *params, uint32_t n_rot,
                     const float *divisor, const float *divisor_far)
{
    CHECK(n_rot / 2 <= ROPE_PAIRS_MAX);
    r->params = params;
    r->n_rot = n_rot;
    r->dynamic_from = params->scaling == ROPE_SCALING_DYNAMIC ? params->n_ctx_orig : UINT32_MAX;
    init_one(&r->near, params, n_rot, divisor);
    init_one(&r->far, params, n_rot, divisor_far);
}

/* theta (factor (position + 1) / n_ctx_orig - (factor - 1)) ^ (n / (n - 2)) */
static struct fx dynamic_theta(const struct rope_exact *r, uint32_t position)
{
    const struct rope_params *p = r->params;
    struct fx factor = fx_f64(p->factor);
    struct fx length = ratio((int64_t)position + 1, p->n_ctx_orig);
    struct fx stretch = fx_sub(fx_mul(factor, length), fx_sub(factor, fx_int(1)));
    return fx_mul(fx_f64(p->theta), fx_pow(stretch, ratio(r->n_rot, r->n_rot - 2)));
}

void rope_exact_angles(const struct rope_exact *r, uint32_t position, bool is_far, float *cos,
                       float *sin)
{
    if (position >= r->dynamic_from) {
        struct rope own;
        rope_init(&own, dynamic_theta(r, position), r->n_rot, NULL, magnitude(r->params));
        rope_angles(&own, position, cos, sin);
        return;
    }
    rope_angles(is_far ? &r->far : &r->near, position, cos, sin);
}
