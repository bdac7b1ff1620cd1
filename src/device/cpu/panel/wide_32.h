/* wide_32.h - a tile times opened groups of 32 with a binary32 scale each, included for each way
 * that formats open.
 *
 * WIDE_NAME; START: words where the sums begin, or NO_START; MINIMA: 1 where there are any. */
#include "device/cpu/panel/each.h"

#define BEGIN(t)                                                                                   \
    VI a##t = START == NO_START ? vi_zero() : vi_set1(start[t]);                                   \
    VI b##t = a##t;
#define LOAD_SUM(i) VF fa##i = from[i], fb##i = from[TILE_WIDE + i];
#define STORE_SUM(i)                                                                               \
    wide_put(to, i, fa##i, n_merges, down);                                                        \
    wide_put(to, TILE_WIDE + i, fb##i, n_merges, down);
#define DOT(t)                                                                                     \
    {                                                                                              \
        const VI x_ = vi_set1(q_[t]);                                                              \
        a##t = vi_dot(a##t, ua, x_);                                                               \
        b##t = vi_dot(b##t, ub, x_);                                                               \
    }
#define STEP(j)                                                                                    \
    {                                                                                              \
        const VI ua = w[2 * (j)], ub = w[2 * (j) + 1];                                             \
        const int32_t *q_ = q + (j)*TILE_WIDE;                                                     \
        if ((j) < 5)                                                                               \
            prefetch(next + 64 * (j));                                                             \
        EACH_6(DOT)                                                                                \
    }
#define PLUS_MINIMUM(t, term, m)                                                                   \
    if (MINIMA)                                                                                    \
        term = vf_add(term, vf_mul(vf_set1(sum[t]), m));
#define FINISH(t)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[t]);                                                             \
        VF term = vf_mul(vi_to_f(a##t), vi_as_f(scale[0]));                                        \
        PLUS_MINIMUM(t, term, vi_as_f(scale[WIDE_LESS - WIDE_SCALE]))                              \
        fa##t = vf_add(fa##t, vf_mul(term, dx));                                                   \
        term = vf_mul(vi_to_f(b##t), vi_as_f(scale[1]));                                           \
        PLUS_MINIMUM(t, term, vi_as_f(scale[WIDE_LESS - WIDE_SCALE + 1]))                          \
        fb##t = vf_add(fb##t, vf_mul(term, dx));                                                   \
    }

static void WIDE_NAME(const struct wide *t)
{
    const int32_t *x = t->x, *q = x, *start = x + (START == NO_START ? 0 : START) * TILE_WIDE;
    const float *d_x = (const float *)x + A32_D * TILE_WIDE;
    const float *sum = (const float *)x + A32_SUM * TILE_WIDE;
    const char *next = (const char *)x + t->ahead;
    const VI *w = t->w, *scale = t->w + WIDE_SCALE;
    (void)sum;
    WIDE_PLACES(t);
    EACH_6(LOAD_SUM)
#pragma GCC unroll 1
    for (uint32_t g = 0; g < t->n_groups; g++) {
        EACH_6(BEGIN)
        STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) EACH_6(FINISH) scale += 2;
        start += TILE_WIDE;
        d_x += TILE_WIDE;
        sum += TILE_WIDE;
        q += 8 * TILE_WIDE;
        w += 16;
        next += 320;
    }
    EACH_6(STORE_SUM)
}

#undef BEGIN
#undef LOAD_SUM
#undef STORE_SUM
#undef DOT
#undef STEP
#undef PLUS_MINIMUM
#undef FINISH
#undef WIDE_NAME
#undef START
#undef MINIMA
