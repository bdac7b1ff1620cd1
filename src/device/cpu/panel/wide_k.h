/* wide_k.h - a tile times an opened block of 256, included for each way that formats open.
 *
 * WIDE_NAME; START: words where the sums begin, or NO_START; GROUP: columns of a scale, 0 where the
 * integers are products with it already; MINIMA: pairs of them. */
#include "device/cpu/panel/each.h"

#define NAME(t) VI a##t, b##t;
#define BEGIN(t)                                                                                   \
    a##t = START == NO_START ? vi_zero() : vi_set1(start[t]);                                      \
    b##t = a##t;
#define CLEAR(t) VI ia##t = vi_zero(), ib##t = vi_zero();
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
#define SCALED(a, s) (GROUP ? vi_mul(a, s) : a)
#define FOLD(t)                                                                                    \
    {                                                                                              \
        const VI s_ = vi_set1(shift[t]);                                                           \
        ia##t = vi_add(ia##t, vi_sllv(SCALED(a##t, sa), s_));                                      \
        ib##t = vi_add(ib##t, vi_sllv(SCALED(b##t, sb), s_));                                      \
    }
#define LESS_MINIMA(t, term, p, dmin)                                                              \
    if (MINIMA) {                                                                                  \
        VI i2 = vi_zero();                                                                         \
        for (int k = 0; k < MINIMA; k++)                                                           \
            i2 = vi_dot16(i2, block[WIDE_LESS + 2 * k + p], vi_set1(sum[k * TILE_WIDE + t]));      \
        term = vf_sub(term, vf_mul(vi_to_f(i2), dmin));                                            \
    }
#define FINISH(i)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[i]);                                                             \
        VF term = vf_mul(vi_to_f(ia##i), da);                                                      \
        LESS_MINIMA(i, term, 0, dmin_a)                                                            \
        wide_put(to, i, vf_add(from[i], vf_mul(term, dx)), n_merges, down);                        \
        term = vf_mul(vi_to_f(ib##i), db);                                                         \
        LESS_MINIMA(i, term, 1, dmin_b)                                                            \
        wide_put(to, TILE_WIDE + i, vf_add(from[TILE_WIDE + i], vf_mul(term, dx)), n_merges,       \
                 down);                                                                            \
    }

static void WIDE_NAME(const struct wide *t)
{
    const int32_t *x = t->x, *q = x, *shift = x + A256_SHIFT * TILE_WIDE;
    const int32_t *start = x + (START == NO_START ? 0 : START) * TILE_WIDE;
    const char *next = (const char *)x + t->ahead;
    const VI *block = t->w, *w = block, *scale = block + WIDE_SCALE;
    EACH_6(CLEAR)
#pragma GCC unroll 1
    for (int g = 0; g < 8; g++) {
        EACH_6(NAME)
        EACH_6(BEGIN)
        STEP(0) STEP(1) STEP(2) STEP(3) if (GROUP == 16)
        {
            const VI sa = scale[0], sb = scale[1];
            EACH_6(FOLD)
            scale += 2;
            start += TILE_WIDE;
            EACH_6(BEGIN)
        }
        STEP(4) STEP(5) STEP(6) STEP(7) const VI sa = scale[0], sb = scale[1];
        EACH_6(FOLD)
        scale += 2;
        start += TILE_WIDE;
        shift += TILE_WIDE;
        q += 8 * TILE_WIDE;
        w += 16;
        next += 320;
    }
    __asm__ volatile("" ::: "memory"); /* the sums below shall not claim registers above */
    const float *d_x = (const float *)x + A256_D * TILE_WIDE;
    const int32_t *sum = x + (MINIMA == 4 ? A256_PAIR32 : A256_PAIR16) * TILE_WIDE;
    const VF da = vi_as_f(block[WIDE_D]), db = vi_as_f(block[WIDE_D + 1]);
    const VF dmin_a = vi_as_f(block[WIDE_DMIN]), dmin_b = vi_as_f(block[WIDE_DMIN + 1]);
    (void)sum, (void)dmin_a, (void)dmin_b;
    WIDE_PLACES(t);
    EACH_6(FINISH)
}

#undef NAME
#undef BEGIN
#undef CLEAR
#undef DOT
#undef STEP
#undef SCALED
#undef FOLD
#undef LESS_MINIMA
#undef FINISH
#undef WIDE_NAME
#undef START
#undef GROUP
#undef MINIMA
