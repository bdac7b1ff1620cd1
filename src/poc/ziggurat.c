/* ziggurat.c - the rare values: edges of layers, and the tail beyond the last. */
#include "poc/ziggurat.h"

#include <math.h>

static const double TAIL = 3.6541528853610087963519472518;
static const double TAIL_INVERSE = 0.27366123732975827203338247596;

static double tail_value(struct pcg64 *rng, bool negative, uint64_t *n_raws)
{
    for (;;) {
        double x = -TAIL_INVERSE * log1p(-pcg64_double(rng));
        double y = -log1p(-pcg64_double(rng));
        *n_raws += 2;
        if (y + y > x * x)
            return negative ? -(TAIL + x) : TAIL + x;
    }
}

bool ziggurat_edge(struct pcg64 *rng, unsigned layer, uint64_t magnitude, double x, double *value,
                   uint64_t *n_raws)
{
    if (layer == 0) {
        *value = tail_value(rng, magnitude >> 8 & 1, n_raws);
        return true;
    }
    double height = ZIGGURAT_FI[layer - 1] - ZIGGURAT_FI[layer];
    ++*n_raws;
    *value = x;
    return height * pcg64_double(rng) + ZIGGURAT_FI[layer] < exp(-0.5 * x * x);
}
