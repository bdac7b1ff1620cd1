/* search.c - scale and minimum of one group: try a few scales, solve for the best each time. */
#include "tensor/quant/search.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* SEARCH_LANES floats at any address, by the compilers' vector extension. */
#define LANES_BYTES (4 * SEARCH_LANES)
#define LANES       float __attribute__((vector_size(LANES_BYTES)))
#define LANES_MASK  int32_t __attribute__((vector_size(LANES_BYTES)))

static inline LANES lanes_at(const float *p)
{
    LANES v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define LANES_PICK(mask, a, b) ((LANES)(((LANES_MASK)(a) & (mask)) | ((LANES_MASK)(b) & ~(mask))))
#define LANES_CLAMP(y, lo, hi)                                                                     \
    do {                                                                                           \
        (y) = LANES_PICK((y) < (lo), (LANES){0} + (lo), (y));                                      \
        (y) = LANES_PICK((y) > (hi), (LANES){0} + (hi), (y));                                      \
    } while (0)
#define LANES_ROUND(y) (((y) + 0x1.8p23f) - 0x1.8p23f)
#define LANES_SUM(v)   (((v)[0] + (v)[1]) + ((v)[2] + (v)[3]))

/* What a choice of codes q makes of a group: sums of w x q and w q q. */
struct scale_sums {
    float xq, qq;
};

static struct scale_sums table_sums_of(const struct grid *g, const float *x, const float *w, int n,
                                       float inverse)
{
    struct scale_sums sums = {0, 0};
    for (int i = 0; i < n; i++) {
        float q = grid_round(g, x[i] * inverse), wq = w[i] * q;
        sums.xq += wq * x[i];
        sums.qq += wq * q;
    }
    return sums;
}

static struct scale_sums scale_sums_of(const struct grid *g, const float *x, const float *w, int n,
                                       float inverse)
{
    if (g->levels)
        return table_sums_of(g, x, w, n, inverse);
    LANES xq = {0}, qq = {0};
    for (int i = 0; i < n; i += SEARCH_LANES) {
        LANES q = lanes_at(x + i) * inverse;
        LANES_CLAMP(q, g->lo, g->hi);
        q = LANES_ROUND(q);
        LANES wq = lanes_at(w + i) * q;
        xq += wq * lanes_at(x + i);
        qq += wq * q;
    }
    return (struct scale_sums){LANES_SUM(xq), LANES_SUM(qq)};
}

float scale_error(const struct grid *g, const float *x, const float *w, int n, float s)
{
    float inverse = s != 0 ? 1 / s : 0;
    if (g->levels) {
        float sum = 0;
        for (int i = 0; i < n; i++) {
            float e = x[i] - s * grid_round(g, x[i] * inverse);
            sum += w[i] * e * e;
        }
        return sum;
    }
    LANES sum = {0};
    for (int i = 0; i < n; i += SEARCH_LANES) {
        LANES q = lanes_at(x + i) * inverse;
        LANES_CLAMP(q, g->lo, g->hi);
        LANES e = lanes_at(x + i) - s * LANES_ROUND(q);
        sum += lanes_at(w + i) * e * e;
    }
    return LANES_SUM(sum);
}

/* Tries the inverse scale and keeps it if the error that least squares leaves is smaller: the error
 * is sum w x^2 less xq^2 / qq. */
static void scale_try(const struct grid *g, const float *x, const float *w, int n, float inverse,
                      struct scale_sums *best)
{
    struct scale_sums t = scale_sums_of(g, x, w, n, inverse);
    if (t.qq > 0 && t.xq * t.xq * best->qq > best->xq * best->xq * t.qq)
        *best = t;
}

float scale_fit(const struct grid *g, const float *x, const float *w, int n, float *qq)
{
    float extreme = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(extreme))
            extreme = x[i];
    if (qq)
        *qq = 0;
    if (fabsf(extreme) < 0x1p-60f)
        return 0;
    struct scale_sums best = {0, 1};
    /* The extreme is put on either end of the grid, or up to two steps beside it. */
    float step = g->levels ? 8.0f : 0.5f;
    for (int k = -4; k <= 4; k++) {
        scale_try(g, x, w, n, (g->hi + step * (float)k) / extreme, &best);
        if (g->lo < 0)
            scale_try(g, x, w, n, (g->lo - step * (float)k) / extreme, &best);
    }
    for (int round = 0; round < 3 && best.xq != 0; round++) {
        struct scale_sums before = best;
        scale_try(g, x, w, n, best.qq / best.xq, &best);
        if (best.xq == before.xq)
            break;
    }
    if (qq)
        *qq = best.qq;
    return best.xq / best.qq;
}

float affine_error(const float *x, const float *w, int n, float q_hi, float s, float m)
{
    LANES sum = {0};
    float inverse = s != 0 ? 1 / s : 0;
    for (int i = 0; i < n; i += SEARCH_LANES) {
        LANES y = lanes_at(x + i) + m, q = y * inverse;
        LANES_CLAMP(q, 0, q_hi);
        LANES e = y - s * LANES_ROUND(q);
        sum += lanes_at(w + i) * e * e;
    }
    return LANES_SUM(sum);
}

/* Sums over a group for the codes of one candidate; w and x do not depend on it. */
struct affine_sums {
    float w, x, xx, q, xq, qq;
};

static struct affine_sums affine_sums_init(const float *x, const float *w, int n)
{
    LANES sw = {0}, sx = {0}, sxx = {0};
    for (int i = 0; i < n; i += SEARCH_LANES) {
        LANES wx = lanes_at(w + i) * lanes_at(x + i);
        sw += lanes_at(w + i);
        sx += wx;
        sxx += wx * lanes_at(x + i);
    }
    return (struct affine_sums){LANES_SUM(sw), LANES_SUM(sx), LANES_SUM(sxx), 0, 0, 0};
}

static void affine_sums_add(const float *x, const float *w, int n, float q_hi, float inverse,
                            float m, struct affine_sums *t)
{
    LANES sq = {0}, sxq = {0}, sqq = {0};
    for (int i = 0; i < n; i += SEARCH_LANES) {
        LANES q = (lanes_at(x + i) + m) * inverse;
        LANES_CLAMP(q, 0, q_hi);
        q = LANES_ROUND(q);
        LANES wq = lanes_at(w + i) * q;
        sq += wq;
        sxq += wq * lanes_at(x + i);
        sqq += wq * q;
    }
    t->q = LANES_SUM(sq);
    t->xq = LANES_SUM(sxq);
    t->qq = LANES_SUM(sqq);
}

/* Least squares for given codes, with the error that it leaves. */
static struct affine affine_solve(const struct affine_sums *t, bool nonnegative)
{
    float det = t->w * t->qq - t->q * t->q;
    struct affine a = {0, 0, t->qq, 0};
    if (det > t->w * t->qq * 0x1p-18f) {
        a.s = (t->w * t->xq - t->x * t->q) / det;
        a.m = (t->q * t->xq - t->qq * t->x) / det;
    } else { /* one code only */
        a.m = -t->x / t->w;
    }
    if (nonnegative && a.m < 0) {
        a.m = 0;
        a.s = t->qq > 0 ? t->xq / t->qq : 0;
    }
    a.error = t->xx - 2 * (a.s * t->xq - a.m * t->x) + a.s * a.s * t->qq - 2 * a.s * a.m * t->q +
              a.m * a.m * t->w;
    return a;
}

float affine_minimum(const float *x, const float *w, int n, float q_hi, float s, float m)
{
    struct affine_sums t = affine_sums_init(x, w, n);
    affine_sums_add(x, w, n, q_hi, s != 0 ? 1 / s : 0, m, &t);
    return (s * t.q - t.x) / t.w;
}

struct affine affine_fit(const float *x, const float *w, int n, float q_hi, bool nonnegative)
{
    float lo = x[0], hi = x[0];
    for (int i = 1; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    if (nonnegative && lo > 0)
        lo = 0;
    if (hi - lo < 0x1p-60f)
        return (struct affine){0, -lo, 0, 0};
    struct affine_sums t = affine_sums_init(x, w, n);
    struct affine best = {0, 0, 0, INFINITY};
    /* Either end of the range is moved by half a step inwards or outwards, or stays. */
    for (int k = -1; k <= 1; k++)
        for (int j = -1; j <= 1; j++) {
            float s = (hi - lo) / (q_hi + 0.5f * (float)(j + k)), m = -lo - 0.5f * (float)j * s;
            affine_sums_add(x, w, n, q_hi, 1 / s, m, &t);
            struct affine a = affine_solve(&t, nonnegative);
            if (a.error < best.error)
                best = a;
        }
    for (int round = 0; round < 3; round++) {
        affine_sums_add(x, w, n, q_hi, best.s != 0 ? 1 / best.s : 0, best.m, &t);
        struct affine a = affine_solve(&t, nonnegative);
        if (!(a.error < best.error))
            break;
        best = a;
    }
    return best;
}
