/* search.h - least-squares searches that the encoders share; private to tensor/quant.
 *
 * All minimise the sum of w (x - value)^2 over the scales and codes of one group of n. Sums run in
 * SEARCH_LANES interleaved lanes, so that they are the same on every machine. x is finite and at
 * most 65504 in magnitude; w is finite, >= 0 and not all zero; n is a multiple of SEARCH_LANES. */
#ifndef TENSOR_QUANT_SEARCH_H
#define TENSOR_QUANT_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum { SEARCH_LANES = 4 };

/* The levels that a code can stand for: the integers lo..hi, or an ascending table of them.
 * cells[c] is the first level that can be nearest to a y in lo + 8c .. lo + 8c + 8; at most one
 * midpoint of neighbouring levels lies in there. */
struct grid {
    float lo, hi;
    const int8_t *levels; /* NULL: all integers; else one entry more than levels */
    const uint8_t *cells;
};

/* grid_round - the level nearest to y; ties go to the even integer, or to the lower table level. */
static inline float grid_round(const struct grid *g, float y)
{
    y = y < g->lo ? g->lo : y;
    y = y > g->hi ? g->hi : y;
    if (g->levels) {
        int c = g->cells[(int)((y - g->lo) * 0.125f)];
        c += 2 * y > (float)(g->levels[c] + g->levels[c + 1]);
        return (float)g->levels[c];
    }
    return (y + 0x1.8p23f) - 0x1.8p23f;
}

/* scale_error - sum of w (x - s q)^2 for codes rounded at scale s (0: all codes count as 0). */
float scale_error(const struct grid *g, const float *x, const float *w, int n, float s);

/* scale_fit - the scale for one group, of either sign when the grid is two-sided; *qq, if not NULL,
 * receives sum w q^2, the curvature of the error around it. 0 for an all-zero group. */
float scale_fit(const struct grid *g, const float *x, const float *w, int n, float *qq);

/* A group as s q - m. */
struct affine {
    float s, m;
    float qq;    /* sum of w q^2 */
    float error; /* what is left of sum w x^2 */
};

/* affine_fit - scale and minimum for one group; m >= 0 if `nonnegative`. */
struct affine affine_fit(const float *x, const float *w, int n, float q_hi, bool nonnegative);

/* affine_error - sum of w (x - (s q - m))^2 for the codes rounded at (s, m), 0..q_hi. */
float affine_error(const float *x, const float *w, int n, float q_hi, float s, float m);

/* affine_minimum - the m that suits the codes rounded at (s, m) best. */
float affine_minimum(const float *x, const float *w, int n, float q_hi, float s, float m);

#endif
