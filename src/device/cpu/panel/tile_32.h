/* tile_32.h - one panel times TOKENS, a product in a format with a scale per 32, included for each.
 *
 * Per group of 32: integer dot products, one conversion, the float step. A block of 256 columns
 * keeps its sums in registers. */
#include "device/cpu/panel/tile_begin.h"

#define LOAD_SUM(t)  VF f##t = f[t];
#define STORE_SUM(t) f[t] = f##t;
#define START(t)     VI a##t = START_AT == NO_START ? vi_zero() : vi_set1(start[t]);
#if F(MINIMA)
#define PLUS_MINIMUM(t, term, m) term = vf_add(term, vf_mul(vf_set1(sum[t]), m));
#else
#define PLUS_MINIMUM(t, term, m)
#endif
#define FINISH(t)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[t]);                                                             \
        VF term = vf_mul(vi_to_f(a##t), d);                                                        \
        PLUS_MINIMUM(t, term, m)                                                                   \
        f##t = vf_add(f##t, vf_mul(term, dx));                                                     \
    }

static void TILE_NAME(const struct tile *t)
{
    const uint8_t *w = t->w;
#if F(TABLE)
    const VI levels = vi_xor(vi_table(F(LEVELS)), vi_set1_8(WEIGHT_FLIP));
#endif
    const int32_t *x = t->x;
    VF *f = t->out;
    uint32_t block = 0;
    for (uint32_t s = 0; s < t->segments->n; s++) {
        PUSH(f)
        for (; block < t->segments->at[s].end; block++) {
            uint32_t n_groups = t->n_cols / 32 - 8 * block;
            n_groups = n_groups < 8 ? n_groups : 8;
            const uint8_t *p = w + n_groups * F(HEAD);
            const int32_t *q = x, *start = x + (START_AT == NO_START ? 0 : START_AT) * TOKENS;
            const float *d_x = (const float *)x + A32_D * TOKENS;
#if F(MINIMA)
            const float *sum = (const float *)x + A32_SUM * TOKENS;
#endif
            for (uint32_t i = 0; i < 8 * F(HEAD); i += 64)
                FETCH(w + i);
            EACH(LOAD_SUM)
#pragma GCC unroll 1
            for (uint32_t g = 0; g < n_groups; g++) {
                EACH(START)
                STEP(0)
                STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) const VF d = F(d)(w, g);
#if F(MINIMA)
                const VF m = F(m)(w, g);
                EACH(FINISH)
                sum += TOKENS;
#else
                EACH(FINISH)
#endif
                start += TOKENS;
                d_x += TOKENS;
                q += 8 * TOKENS;
                p += F(BODY);
            }
            EACH(STORE_SUM)
            w = p;
            x += A32_WORDS * TOKENS;
        }
        f += TOKENS;
        MERGE(f, t->segments->at[s].n_merges)
    }
}

#undef LOAD_SUM
#undef STORE_SUM
#undef START
#undef PLUS_MINIMUM
#undef FINISH
#include "device/cpu/panel/tile_end.h"
