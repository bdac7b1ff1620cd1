/* tile_begin.h - what the tile loops share: included by each of them for FORMAT and TOKENS. */
#include "device/cpu/panel/each.h"

#define F(name)   JOIN(JOIN(FORMAT, _), name)
#define TILE_NAME JOIN(F(tile_), TOKENS)
#define EACH(M)   JOIN(EACH_, TOKENS)(M)

/* Weights come from memory once where tokens are few; ahead by what covers its latency. */
#define FETCH(p) prefetch((p) + PREFETCH_AHEAD)

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
        a##t = DOT_FN(a##t, u, x_);                                                                \
    }
#define STEP(j)                                                                                    \
    {                                                                                              \
        const VI u = WEIGHTS(p, j);                                                                \
        const int32_t *q_ = q + (j)*TOKENS;                                                        \
        if ((j)*VEC_BYTES < F(BODY))                                                               \
            FETCH(p + (j)*VEC_BYTES);                                                              \
        EACH(DOT)                                                                                  \
    }

/* A new sum on the stack; and, after a segment, the merges of the tree. */
#define PUSH(f)                                                                                    \
    for (int i = 0; i < TOKENS; i++)                                                               \
        (f)[i] = vf_zero();
#define MERGE(f, n)                                                                                \
    for (uint32_t m = 0; m < (n); m++) {                                                           \
        (f) -= TOKENS;                                                                             \
        for (int i = 0; i < TOKENS; i++)                                                           \
            (f)[i - TOKENS] = vf_add((f)[i - TOKENS], (f)[i]);                                     \
    }
