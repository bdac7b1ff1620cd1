/* tile_begin.h - what the tile loops share: included by each of them for FORMAT, TOKENS, PANELS.
 *
 * Accumulators are a0, a1... for the first panel and b0, b1... for the second. */
#include "device/cpu/panel/each.h"

#define F(name)   JOIN(JOIN(FORMAT, _), name)
#define TILE_NAME JOIN(F(tile_), JOIN(PANELS, JOIN(x, TOKENS)))
#define EACH(M)   JOIN(EACH_, TOKENS)(M)
#if PANELS == 2
#define SECOND(...) __VA_ARGS__
#else
#define SECOND(...)
#endif

/* Weights come from memory once where tokens are few; ahead by what covers its latency. */
#define FETCH(p)                                                                                   \
    if (PANELS == 1)                                                                               \
    prefetch((p) + PREFETCH_AHEAD)

/* Integers that are not biased start at zero. */
#if F(FLIPPED) && !WEIGHT_FLIP
#define START_AT NO_START
#else
#define START_AT F(START)
#endif
#if F(FLIPPED)
#define DOT_FN vi_dot_flipped
#else
#define DOT_FN vi_dot
#endif
#if F(TABLE)
#define WEIGHTS(p, j) vi_lookup(levels, F(weights)(p, j))
#else
#define WEIGHTS(p, j) F(weights)(p, j)
#endif

/* Four columns: vector j of the 32, for every token. */
#define DOT(t)                                                                                     \
    {                                                                                              \
        const VI x_ = vi_set1(q_[t]);                                                              \
        a##t = DOT_FN(a##t, ua, x_);                                                               \
        SECOND(b##t = DOT_FN(b##t, ub, x_);)                                                       \
    }
#define STEP(j)                                                                                    \
    {                                                                                              \
        const VI ua = WEIGHTS(pa, j);                                                              \
        SECOND(const VI ub = WEIGHTS(pb, j);)                                                      \
        const int32_t *q_ = q + (j)*TOKENS;                                                        \
        if ((j)*VEC_BYTES < F(BODY))                                                               \
            FETCH(pa + (j)*VEC_BYTES);                                                             \
        EACH(DOT)                                                                                  \
    }

/* A new sum on the stack; and, after a segment, the merges of the tree. */
#define STACK_ROW (PANELS * TOKENS)
#define PUSH(f)                                                                                    \
    for (int i = 0; i < STACK_ROW; i++)                                                            \
        (f)[i] = vf_zero();
#define MERGE(f, n)                                                                                \
    for (uint32_t m = 0; m < (n); m++) {                                                           \
        (f) -= STACK_ROW;                                                                          \
        for (int i = 0; i < STACK_ROW; i++)                                                        \
            (f)[i - STACK_ROW] = vf_add((f)[i - STACK_ROW], (f)[i]);                               \
    }
