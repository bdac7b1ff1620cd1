/* ziggurat.h - numpy's standard_normal: 256 layers, one draw for 98.8 % of the values.
 *
 * How many raw draws a value takes depends on them, so the k-th value has no known place. But a
 * value begins at nearly every place, whence two readers of one sequence that began apart soon
 * agree: normals.c reads in parallel by that.
 * Source: Marsaglia and Tsang, "The ziggurat method for generating random variables", 2000. */
#ifndef POC_ZIGGURAT_H
#define POC_ZIGGURAT_H

#include "poc/pcg64.h"
#include "poc/ziggurat_tables.h"

/* A layer's edge, or the tail. False: the value is refused. Adds to n_raws what it drew. */
bool ziggurat_edge(struct pcg64 *rng, unsigned layer, uint64_t magnitude, double x, double *value,
                   uint64_t *n_raws);

/* One value of N(0, 1). n_raws counts the draws of rng. */
static inline double ziggurat_next(struct pcg64 *rng, uint64_t *n_raws)
{
    for (;;) {
        uint64_t r = pcg64_next(rng);
        ++*n_raws;
        unsigned layer = r & 0xff;
        uint64_t magnitude = r >> 9 & 0x000fffffffffffffu;
        double x = (double)(int64_t)magnitude * ZIGGURAT_WI[layer], value;
        if (r >> 8 & 1)
            x = -x;
        if (__builtin_expect(magnitude < ZIGGURAT_KI[layer], 1))
            return x;
        if (ziggurat_edge(rng, layer, magnitude, x, &value, n_raws))
            return value;
    }
}

#endif
