/* tile_k.h - PANELS x TOKENS of a product in a format with blocks of 256, included for each.
 *
 * Per group of 32 (or 16): integer dot products, times the group's scales, shifted by the
 * activations' exponent into i0, i1...; per block two conversions and the float step. */
#include "device/cpu/panel/tile_begin.h"

#define CLEAR(t)                                                                                   \
    VI ia##t = vi_zero();                                                                          \
    SECOND(VI ib##t = vi_zero();)
#define START(t)                                                                                   \
    a##t = start ? vi_set1(start[t]) : vi_zero();                                                  \
    SECOND(b##t = a##t;)
#define NAME(t)                                                                                    \
    VI a##t;                                                                                       \
    SECOND(VI b##t;)
#define FOLD(t)                                                                                    \
    {                                                                                              \
        const VI s_ = vi_set1(shift[t]);                                                           \
        ia##t = vi_add(ia##t, vi_sllv(vi_mul(a##t, sa), s_));                                      \
        SECOND(ib##t = vi_add(ib##t, vi_sllv(vi_mul(b##t, sb), s_));)                              \
    }
/* The group's scales are vector k. */
#define FOLD_ALL(k)                                                                                \
    {                                                                                              \
        const VI sa = sca[k];                                                                      \
        SECOND(const VI sb = scb[k];)                                                              \
        EACH(FOLD)                                                                                 \
    }
#if F(MINIMA)
#define LESS_MINIMA(t, term, pairs, dmin)                                                          \
    {                                                                                              \
        VI i2 = vi_zero();                                                                         \
        for (int k = 0; k < F(MINIMA); k++)                                                        \
            i2 = vi_dot16(i2, pairs[k], vi_set1(sum[k * TOKENS + t]));                             \
        term = vf_sub(term, vf_mul(vi_to_f(i2), dmin));                                            \
    }
#else
#define LESS_MINIMA(t, term, pairs, dmin)
#endif
#define FINISH(t)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[t]);                                                             \
        VF term = vf_mul(vi_to_f(ia##t), da);                                                      \
        LESS_MINIMA(t, term, pairs_a, dmin_a)                                                      \
        f[t] = vf_add(f[t], vf_mul(term, dx));                                                     \
        SECOND(term = vf_mul(vi_to_f(ib##t), db);                                                  \
               LESS_MINIMA(t, term, pairs_b, dmin_b)                                               \
               f[TOKENS + t] = vf_add(f[TOKENS + t], vf_mul(term, dx));)                           \
    }
#if F(PLANE)
#define SCALE(w, plane) vf_load_f16(plane + (size_t)block * F(PLANE))
#else
#define SCALE(w, plane) F(d)(w)
#endif

static void TILE_NAME(const struct tile *t)
{
    enum { BLOCK = F(HEAD) + 8 * F(BODY), N_GROUPS = 256 / F(GROUP) };
    const uint8_t *wa = t->w[0];
    SECOND(const uint8_t *wb = t->w[1];)
#if F(PLANE)
    const uint8_t *plane_a = wa + (size_t)(t->n_cols / 256) * BLOCK;
    SECOND(const uint8_t *plane_b = wb + (size_t)(t->n_cols / 256) * BLOCK;)
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
            VI sca[N_GROUPS];
            SECOND(VI scb[N_GROUPS];)
            F(scales)(wa, sca);
            SECOND(F(scales)(wb, scb);)
            for (int i = 0; i < F(HEAD); i += 64)
                FETCH(wa + i);
            const uint8_t *pa = wa + F(HEAD);
            SECOND(const uint8_t *pb = wb + F(HEAD);)
            const int32_t *q = x, *shift = x + A256_SHIFT * TOKENS;
            const int32_t *start = START_AT == NO_START ? NULL : x + START_AT * TOKENS;
            __asm__ volatile("" ::: "memory");
            EACH(CLEAR)
#pragma GCC unroll 1
            for (int g = 0; g < 8; g++) {
                EACH(NAME)
                EACH(START)
                STEP(0) STEP(1) STEP(2) STEP(3)
#if F(GROUP) == 16
                FOLD_ALL(2 * g)
                if (start)
                    start += TOKENS;
                EACH(START)
#endif
                STEP(4) STEP(5) STEP(6) STEP(7)
#if F(GROUP) == 16
                FOLD_ALL(2 * g + 1)
#else
                FOLD_ALL(g)
#endif
                if (start)
                    start += TOKENS;
                shift += TOKENS;
                q += 8 * TOKENS;
                pa += F(BODY);
                SECOND(pb += F(BODY);)
            }
            __asm__ volatile("" ::: "memory");
            const float *d_x = (const float *)x + A256_D * TOKENS;
            const VF da = SCALE(wa, plane_a);
            SECOND(const VF db = SCALE(wb, plane_b);)
#if F(MINIMA)
            const int32_t *sum = x + (F(GROUP) == 32 ? A256_PAIR32 : A256_PAIR16) * TOKENS;
            const VF dmin_a = F(dmin)(wa);
            SECOND(const VF dmin_b = F(dmin)(wb);)
            VI pairs_a[F(MINIMA)];
            SECOND(VI pairs_b[F(MINIMA)];)
            F(minima)(wa, pairs_a);
            SECOND(F(minima)(wb, pairs_b);)
#endif
            EACH(FINISH)
            wa += BLOCK;
            SECOND(wb += BLOCK;)
            x += A256_WORDS * TOKENS;
        }
        f += STACK_ROW;
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
