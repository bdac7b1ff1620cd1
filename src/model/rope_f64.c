/* rope_f64.c - position scalings as their papers (and Transformers) write them, in double. */
#include "model/rope_f64.h"

#include <math.h>

#define TWO_PI 6.283185307179586477

static double clamp01(double x)
{
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

/* The pair whose wave turns `turns` times within the original context, as a real number. */
static double yarn_pair(const struct rope_f64 *r, double turns)
{
    return r->n_rot * log(r->p->n_ctx_orig / (turns * TWO_PI)) / (2.0 * log(r->p->theta));
}

/* How much of pair i keeps its frequency: 1 fast pairs, 0 slow ones, a ramp between. */
static double yarn_keep(const struct rope_f64 *r, uint32_t i)
{
    double low = yarn_pair(r, r->p->beta_fast), high = yarn_pair(r, r->p->beta_slow);
    if (r->p->round_ramp) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0.0);
    high = fmin(high, r->n_rot - 1.0);
    if (low == high)
        high += 0.001;
    return 1.0 - clamp01((i - low) / (high - low));
}

static double llama3_divisor(const struct rope_params *p, double frequency)
{
    double turns = p->n_ctx_orig * frequency / TWO_PI;
    double smooth =
        clamp01((turns - p->low_freq_factor) / (p->high_freq_factor - p->low_freq_factor));
    return 1.0 / ((1.0 - smooth) / p->factor + smooth);
}

static double yarn_mscale(double factor, double mul)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mul * log(factor) + 1.0;
}

static double magnitude(const struct rope_params *p)
{
    if (p->magnitude != 0.0)
        return p->magnitude;
    if (p->scaling == ROPE_SCALING_YARN)
        return yarn_mscale(p->factor, 1.0) /
               (p->log_mul != 0.0 ? yarn_mscale(p->factor, p->log_mul) : 1.0);
    if (p->scaling == ROPE_SCALING_LONGROPE && p->factor > 1.0)
        return sqrt(1.0 + log(p->factor) / log(p->n_ctx_orig));
    return 1.0;
}

/* Frequency of pair i in radians per position. */
static double frequency(const struct rope_f64 *r, uint32_t position, uint32_t i)
{
    const struct rope_params *p = r->p;
    double theta = p->theta, n = r->n_rot;
    if (p->scaling == ROPE_SCALING_DYNAMIC && position >= p->n_ctx_orig)
        theta *=
            pow(p->factor * (position + 1.0) / p->n_ctx_orig - (p->factor - 1.0), n / (n - 2.0));
    double f = pow(theta, -2.0 * i / n);
    if (r->divisor)
        f /= r->divisor[i];
    else if (p->scaling == ROPE_SCALING_LLAMA3)
        f /= llama3_divisor(p, f);
    if (p->scaling == ROPE_SCALING_LINEAR)
        f /= p->factor;
    if (p->scaling == ROPE_SCALING_YARN) {
        double keep = yarn_keep(r, i);
        f = f / p->factor * (1.0 - keep) + f * keep;
    }
    return f;
}

void rope_f64_angles(const struct rope_f64 *r, uint32_t position, double *cos_, double *sin_)
{
    double m = magnitude(r->p);
    for (uint32_t i = 0; i < r->n_rot / 2; i++) {
        double angle = frequency(r, position, i) * position;
        cos_[i] = cos(angle) * m;
        sin_[i] = sin(angle) * m;
    }
}
