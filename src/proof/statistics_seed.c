/* statistics_seed.c - whether a claimed seed chose the tokens. */
#include <math.h>

#include "proof/statistics.h"

bool stat_draw_matches(const struct stat_draw *d)
{
    return d->below <= d->random && d->random < d->upto;
}

/* The share of a normal distribution below x. */
static double normal_below(double x)
{
    return erfc(-x / sqrt(2)) / 2;
}

/* The line's two ends are where they are. A share is never taken for less than 2^-20, so that a
 * token that was hardly possible is no evidence for anything. */
double stat_draw_evidence(const struct stat_draw *d)
{
    double share = d->upto - d->below;
    double low = d->below <= 0 ? 0 : normal_below((d->below - d->random) / STAT_DRAW_NOISE);
    double high = d->upto >= 1 ? 1 : normal_below((d->upto - d->random) / STAT_DRAW_NOISE);
    double likelihood = share > 0 ? high - low : 0;
    double least = share > 0x1p-20 ? share : 0x1p-20;
    return log((1 - STAT_DRAW_SLIP) * likelihood / least + STAT_DRAW_SLIP);
}

enum stat_seed stat_seed_of(double evidence)
{
    return evidence >= STAT_SEED_SURE    ? STAT_SEED_SHOWN
           : evidence <= -STAT_SEED_SURE ? STAT_SEED_REFUTED
                                         : STAT_SEED_OPEN;
}
