/* tile_32.h - PANELS x TOKENS of a product in a format with a scale per 32, included for each.
 *
 * Per group of 32: integer dot products, one conversion, the float step. A block of 256 columns
 * keeps its sums in registers. */
#include "device/cpu/panel/tile_begin.h"

#define LOAD_SUM(t)                                                                                \
    VF fa##t = f[t];                                                                               \
    SECOND(VF fb##t = f[TOKENS + t];)
#define STORE_SUM(t)                                                                               \
    f[t] = fa##t;                                                                                  \
    SECOND(f[TOKENS + t] = fb##t;)
#define START(t)                                                                                   \
    VI a##t = START_AT == NO_START ? vi_zero() : vi_set1(start[t]);                                \
    SECOND(VI b##t = a##t;)
#if F(MINIMA)
#define PLUS_MINIMUM(t, term, m) term = vf_add(term, vf_mul(vf_set1(sum[t]), m));
#else
#define PLUS_MINIMUM(t, term, m)
#endif
#define FINISH(t)                                                                                  \
    {                                                                                              \
        const VF dx = vf_set1(d_x[t]);                                                             \
        VF term = vf_mul(vi_to_f(a##t), da);                                                       \
        PLUS_MINIMUM(t, term, ma)                                                                  \
        fa##t = vf_add(fa##t, vf_mul(term, dx));                                                   \
        SECOND(term = vf_mul(vi_to_f(b##t), db);                                                   \
               PLUS_MINIMUM(t, term, mb)                                                           \
               fb##t = vf_add(fb##t, vf_mul(term, dx));)                                           \
    }

static void TILE_NAME(const struct tile *t)
{
    const uint8_t *wa = t->w[0];
    SECOND(const uint8_t *wb = t->w[1];)
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
            const uint8_t *pa = wa + n_groups * F(HEAD);
            SECOND(const uint8_t *pb = wb + n_groups * F(HEAD);)
            const int32_t *q = x, *start = x + (START_AT == NO_START ? 0 : START_AT) * TOKENS;
            const float *d_x = (const float *)x + A32_D * TOKENS;
#if F(MINIMA)
            const float *sum = (const float *)x + A32_SUM * TOKENS;
#endif
            for (uint32_t i = 0; i < 8 * F(HEAD); i += 64)
                FETCH(wa + i);
            EACH(LOAD_SUM)
#pragma GCC unroll 1
            for (uint32_t g = 0; g < n_groups; g++) {
                EACH(START)
                STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7)
                const VF da = F(d)(wa, g);
                SECOND(const VF db = F(d)(wb, g);)
#if F(MINIMA)
                const VF ma = F(m)(wa, g);
                SECOND(const VF mb = F(m)(wb, g);)
                EACH(FINISH)
                sum += TOKENS;
#else
                EACH(FINISH)
#endif
                start += TOKENS;
                d_x += TOKENS;
                q += 8 * TOKENS;
                pa += F(BODY);
                SECOND(pb += F(BODY);)
            }
            EACH(STORE_SUM)
            wa = pa;
            SECOND(wb = pb;)
            x += A32_WORDS * TOKENS;
        }
        f += STACK_ROW;
        MERGE(f, t->segments->at[s].n_merges)
    }
}

#undef LOAD_SUM
#undef STORE_SUM
#undef START
#undef PLUS_MINIMUM
#undef FINISH
#include "device/cpu/panel/tile_end.h"
