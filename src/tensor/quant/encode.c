/* encode.c - choosing scales, minima and codes for a block: one encoder for each of four shapes.
 *
 * flat: one scale. minimum: one scale and one minimum. super: a block scale of small integer
 * sub-scales. super_min: block scale and block minimum, each of small integers. Where a scale must
 * be stored as a half, candidates are judged by the error that is left with the stored value. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "tensor/quant/layout.h"
#include "tensor/quant/search.h"

/* The half nearest to a wanted scale, but never 0 for another: sub-scales can still use 2^-24. */
static float half_of(float x)
{
    float h = f16_widen(f16_round(fminf(fmaxf(x, -65504), 65504)));
    return h != 0 || x == 0 ? h : copysignf(0x1p-24f, x);
}

/* The half next above half_of(x) in magnitude where halves are coarse, so that a scale rounded
 * down does not clip; otherwise half_of(x) itself. */
static float half_above(float x)
{
    float h = half_of(x);
    return fabsf(h) < 0x1p-14f && fabsf(h) < fabsf(x) ? h + copysignf(0x1p-24f, x) : h;
}

/* The reciprocal that codes are rounded with; 0 (all codes 0) where there is none. */
static float inverse_of(float s)
{
    return fabsf(s) >= 0x1p-120f ? 1 / s : 0;
}

/* The first level of 8-wide cells from -127: see search.h. */
static const uint8_t iq4_cells[31] = {0, 0, 1, 1,  1,  2,  2,  3,  3,  4,  4,  5,  5,  6,  7, 7,
                                      8, 9, 9, 10, 11, 11, 12, 12, 13, 13, 14, 14, 14, 15, 15};

static struct grid grid_of(const struct quant_format *f)
{
    bool table = f->q_hi == quant_iq4_levels[15];
    return (struct grid){f->q_lo, f->q_hi, table ? quant_iq4_levels : NULL,
                         table ? iq4_cells : NULL};
}

static void codes_round(const struct grid *g, const float *x, int n, float s, int8_t *q)
{
    float inverse = inverse_of(s);
    for (int i = 0; i < n; i++)
        q[i] = (int8_t)grid_round(g, x[i] * inverse);
}

/* sum w x q and w q q of a whole block for its codes times sub-scales: the best d is their
 * quotient. */
static float block_refit(const struct quant_format *f, const float *x, const float *w,
                         const struct quant_block *b)
{
    double xq = 0, qq = 0;
    for (int i = 0; i < f->len; i++) {
        double q = b->sc[i / f->group_len] * b->q[i];
        xq += (double)w[i] * (double)x[i] * q;
        qq += (double)w[i] * q * q;
    }
    return qq > 0 ? (float)(xq / qq) : 0;
}

void encode_flat(const struct quant_format *f, const float *x, const float *w,
                 struct quant_block *b)
{
    const struct grid g = grid_of(f);
    float d = scale_fit(&g, x, w, f->len, NULL);
    if (fabsf(d) < 0x1p-26f) /* the least half would only add error */
        d = 0;
    d = half_of(d);
    float best = scale_error(&g, x, w, f->len, d);
    block_flat(b, d);
    codes_round(&g, x, f->len, d, b->q);
    for (int round = 0; round < 2; round++) {
        float again = f16_widen(f16_round(block_refit(f, x, w, b)));
        float error = scale_error(&g, x, w, f->len, again);
        if (!(error < best))
            break;
        best = error;
        b->d = again;
        codes_round(&g, x, f->len, again, b->q);
    }
}

static void codes_round_min(const float *x, int n, float q_hi, float s, float m, int8_t *q)
{
    const struct grid g = {0, q_hi, NULL, NULL};
    float inverse = inverse_of(s);
    for (int i = 0; i < n; i++)
        q[i] = (int8_t)grid_round(&g, (x[i] + m) * inverse);
}

void encode_minimum(const struct quant_format *f, const float *x, const float *w,
                    struct quant_block *b)
{
    struct affine a = affine_fit(x, w, f->len, f->q_hi, 0);
    a.s = half_of(a.s);
    a.m = half_of(fabsf(a.m) < 0x1p-25f ? 0 : a.m);
    block_flat(b, a.s);
    b->dmin = -a.m;
    b->m[0] = -1;
    codes_round_min(x, f->len, f->q_hi, a.s, a.m, b->q);
}

/* For block scale d, the sub-scale of each group (near `ideal` / d) that leaves the least error. */
static float super_choose(const struct quant_format *f, const float *x, const float *w,
                          const float *ideal, float d, struct quant_block *b)
{
    const struct grid g = grid_of(f);
    float total = 0, inverse = inverse_of(d);
    int n = f->group_len;
    for (int k = 0; k < f->len / n; k++) {
        const float *xk = x + k * n, *wk = w + k * n;
        float centre = ideal[k] * inverse, best = INFINITY;
        int middle = (int)rintf(fminf(fmaxf(centre, (float)f->sc_lo), (float)f->sc_hi));
        for (int sc = middle - 1; sc <= middle + 1; sc++) {
            if (sc < f->sc_lo || sc > f->sc_hi)
                continue;
            float error = scale_error(&g, xk, wk, n, d * (float)sc);
            if (error < best) {
                best = error;
                b->sc[k] = (int8_t)sc;
            }
        }
        codes_round(&g, xk, n, d * (float)b->sc[k], b->q + k * n);
        total += best;
    }
    b->d = d;
    return total;
}

void encode_super(const struct quant_format *f, const float *x, const float *w,
                  struct quant_block *b)
{
    const struct grid g = grid_of(f);
    const struct grid sub = {f->sc_lo, f->sc_hi, NULL, NULL};
    float ideal[QUANT_GROUPS_MAX] = {0}, curve[QUANT_GROUPS_MAX] = {0};
    int n_groups = f->len / f->group_len;
    struct quant_block t = {0};
    for (int k = 0; k < n_groups; k++)
        ideal[k] =
            scale_fit(&g, x + k * f->group_len, w + k * f->group_len, f->group_len, &curve[k]);
    float d = scale_fit(&sub, ideal, curve, n_groups, NULL);
    memset(b, 0, sizeof *b);
    float best = super_choose(f, x, w, ideal, half_above(d), b);
    d = half_of(d);
    for (int round = 0; round < 3; round++) {
        if (d != b->d) {
            float error = super_choose(f, x, w, ideal, d, &t);
            if (error < best) {
                best = error;
                *b = t;
            }
        }
        d = half_of(block_refit(f, x, w, b));
    }
}

/* For block scales d and dmin, the pair of each group that leaves the least error. */
static float super_min_choose(const struct quant_format *f, const float *x, const float *w,
                              const struct affine *ideal, float d, float dmin,
                              struct quant_block *b)
{
    float total = 0, inverse = inverse_of(d), inverse_min = inverse_of(dmin);
    int n = f->group_len;
    const struct grid sub = {0, f->sc_hi, NULL, NULL};
    for (int k = 0; k < f->len / n; k++) {
        const float *xk = x + k * n, *wk = w + k * n;
        float best = INFINITY, middle = grid_round(&sub, ideal[k].s * inverse);
        float m0 = grid_round(&sub, ideal[k].m * inverse_min);
        for (int j = -1; j <= 1; j++) {
            float sc = middle + (float)j;
            if (sc < 0 || sc > (float)f->sc_hi)
                continue;
            float m = m0;
            for (int round = 0; round < 2; round++) {
                float error = affine_error(xk, wk, n, f->q_hi, d * sc, dmin * m);
                if (error < best) {
                    best = error;
                    b->sc[k] = (int8_t)sc;
                    b->m[k] = (int8_t)m;
                }
                float next = grid_round(&sub, affine_minimum(xk, wk, n, f->q_hi, d * sc, dmin * m) *
                                                  inverse_min);
                if (next == m)
                    break;
                m = next;
            }
        }
        codes_round_min(xk, n, f->q_hi, d * b->sc[k], dmin * b->m[k], b->q + k * n);
        total += best;
    }
    b->d = d;
    b->dmin = dmin;
    return total;
}

/* Least squares for d and dmin together, given every code and sub-scale. */
static void super_min_refit(const struct quant_format *f, const float *x, const float *w,
                            const struct quant_block *b, float *d, float *dmin)
{
    double aa = 0, am = 0, mm = 0, ax = 0, mx = 0;
    for (int i = 0; i < f->len; i++) {
        double a = b->sc[i / f->group_len] * b->q[i], m = b->m[i / f->group_len];
        aa += (double)w[i] * a * a;
        am += (double)w[i] * a * m;
        mm += (double)w[i] * m * m;
        ax += (double)w[i] * a * (double)x[i];
        mx += (double)w[i] * m * (double)x[i];
    }
    double det = aa * mm - am * am;
    if (det > aa * mm * 0x1p-30) {
        *d = (float)((ax * mm - mx * am) / det);
        *dmin = (float)((ax * am - mx * aa) / det);
    } else {
        *d = aa > 0 ? (float)(ax / aa) : 0;
        *dmin = 0;
    }
    *d = half_of(*d < 0 ? 0 : *d);
    *dmin = half_of(*dmin < 0 ? 0 : *dmin);
}

void encode_super_min(const struct quant_format *f, const float *x, const float *w,
                      struct quant_block *b)
{
    struct affine ideal[QUANT_GROUPS_MAX];
    float s[QUANT_GROUPS_MAX], m[QUANT_GROUPS_MAX], qq[QUANT_GROUPS_MAX], ww[QUANT_GROUPS_MAX];
    int n = f->group_len, n_groups = f->len / n;
    struct quant_block t = {0};
    const struct grid sub = {0, f->sc_hi, NULL, NULL};
    for (int k = 0; k < n_groups; k++) {
        ideal[k] = affine_fit(x + k * n, w + k * n, n, f->q_hi, 1);
        s[k] = ideal[k].s;
        m[k] = ideal[k].m;
        qq[k] = ideal[k].qq;
        ww[k] = 0;
        for (int i = 0; i < n; i++)
            ww[k] += w[k * n + i];
    }
    float d = scale_fit(&sub, s, qq, n_groups, NULL);
    float dmin = scale_fit(&sub, m, ww, n_groups, NULL);
    memset(b, 0, sizeof *b);
    float best = super_min_choose(f, x, w, ideal, half_above(d), half_above(dmin), b);
    d = half_of(d);
    dmin = half_of(dmin);
    for (int round = 0; round < 3; round++) {
        if (d != b->d || dmin != b->dmin) {
            float error = super_min_choose(f, x, w, ideal, d, dmin, &t);
            if (error < best) {
                best = error;
                *b = t;
            }
        }
        super_min_refit(f, x, w, b, &d, &dmin);
    }
}
