/* tile_k.h - one panel times TOKENS, a product in a format with blocks of 256, included for each.
 *
 * Per group of 32 (or 16): integer dot products, times the group's scales, shifted by the
 * activations' exponent into i0, i1...; per block two conversions and the float step. */
#include "device/cpu/panel/tile_begin.h"

#define CLEAR(t) VI i##t = vi_zero();
#define START(t) a##t = start ? vi_set1(start[t]) : vi_zero();
#define NAME(t)  VI a##t;
#define FOLD(t)                                                                                    \
    {                                                                                              \
        const VI s_ = vi_set1(shift[t]);                                                           \
        i##t = vi_add(i##t, vi_sllv(vi_mul(a##t, scale), s_));                                     \
    }
/* The group's scales are vector k. */
#define FOLD_ALL(k)                                                                                \
    {                                                                                              \
        const VI scale = sc[k];                                                                    \
        EACH(FOLD)                                                                                 \
    }
#if F(MINIMA)
#define LESS_MINIMA(t, term, pairs, dmin)                                                          \
    {                                                                                              \
        VI less = vi_zero();                                                                       \
        for (int k = 0; k < F(MINIMA); k++)                                                        \
            less = vi_dot16(less, pairs[k], vi_set1(sum[k * TOKENS + t]));                         \
        term = vf_sub(term, vf_mul(vi_to_f(less), dmin));                                          \
    }
#else
#define LESS_MINIMA(t, term, pairs, dmin)
#endif
#define FINISH(t)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[t]);                                                             \
        VF term = vf_mul(vi_to_f(i##t), d);                                                        \
        LESS_MINIMA(t, term, pairs, dmin)                                                          \
        f[t] = vf_add(f[t], vf_mul(term, dx));                                                     \
    }
#if F(PLANE)
#define SCALE(w, plane) vf_load_f16(plane + (size_t)block * F(PLANE))
#else
#define SCALE(w, plane) F(d)(w)
#endif

static void TILE_NAME(const struct tile *t)
{
    enum { BLOCK = F(HEAD) + 8 * F(BODY), N_GROUPS = 256 / F(GROUP) };
    const uint8_t *w = t->w;
#if F(PLANE)
    const uint8_t *plane = w + (size_t)(t->n_cols / 256) * BLOCK;
#endif
#if F(TABLE)
    const VI levels = vi_xor(vi_table(F(LEVELS)), vi_set1_8(WEIGHT_FLIP));
#endif
    const int32_t *x = t->x;
    VF *f = t->out;
    uint32_t block = 0;
    for (uint32_t s = 0; s < t->segments->n; s++) {
        PUSH(f)
        for (; block < t->segments->at[s].end; block++) {
            VI sc[N_GROUPS];
            F(scales)(w, sc);
            for (int i = 0; i < F(HEAD); i += 64)
                FETCH(w + i);
            const uint8_t *p = w + F(HEAD);
            const int32_t *q = x, *shift = x + A256_SHIFT * TOKENS;
            const int32_t *start = START_AT == NO_START ? NULL : x + START_AT * TOKENS;
            __asm__ volatile("" ::: "memory");
            EACH(CLEAR)
#pragma GCC unroll 1
            for (int g = 0; g < 8; g++) {
                EACH(NAME)
                EACH(START)
                STEP(0)
                STEP(1)
                STEP(2)
                STEP(3)
#if F(GROUP) == 16
                    FOLD_ALL(2 * g) if (start) start += TOKENS;
                EACH(START)
#endif
                STEP(4)
                STEP(5)
                STEP(6)
                STEP(7)
#if F(GROUP) == 16
                    FOLD_ALL(2 * g + 1)
#else
                                    FOLD_ALL(g)
#endif
                        if (start) start += TOKENS;
                shift += TOKENS;
                q += 8 * TOKENS;
                p += F(BODY);
            }
            __asm__ volatile("" ::: "memory");
            const float *d_x = (const float *)x + A256_D * TOKENS;
            const VF d = SCALE(w, plane);
#if F(MINIMA)
            const int32_t *sum = x + (F(GROUP) == 32 ? A256_PAIR32 : A256_PAIR16) * TOKENS;
            const VF dmin = F(dmin)(w);
            VI pairs[F(MINIMA)];
            F(minima)(w, pairs);
#endif
            EACH(FINISH)
            w += BLOCK;
            x += A256_WORDS * TOKENS;
        }
        f += TOKENS;
        MERGE(f, t->segments->at[s].n_merges)
    }
}

#undef CLEAR
#undef START
#undef NAME
#undef FOLD
#undef FOLD_ALL
#undef LESS_MINIMA
#undef FINISH
#undef SCALE
#include "device/cpu/panel/tile_end.h"
