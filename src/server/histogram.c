/* histogram.c - counts by range; sums in integers, so that they are exact. */
#include "server/histogram.h"

#define TIMES_OF(decade) 1 * (decade), 2 * (decade), 5 * (decade)

const struct histogram_scale histogram_times = {
    .bounds = {TIMES_OF(100000ull), TIMES_OF(1000000ull), TIMES_OF(10000000ull),
               TIMES_OF(100000000ull), TIMES_OF(1000000000ull), TIMES_OF(10000000000ull),
               TIMES_OF(100000000000ull)},
    .n_bounds = 21,
    .unit = 1e-9,
};

const struct histogram_scale histogram_counts = {
    .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096},
    .n_bounds = 13,
    .unit = 1,
};

void histogram_add(struct histogram *h, const struct histogram_scale *scale, uint64_t value)
{
    uint32_t i = 0;
    while (i < scale->n_bounds && value > scale->bounds[i])
        i++;
    h->counts[i]++;
    h->min = h->n == 0 || value < h->min ? value : h->min;
    h->max = h->n == 0 || value > h->max ? value : h->max;
    h->sum += value;
    h->n++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->n == 0)
        return;
    for (uint32_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        into->counts[i] += from->counts[i];
    into->min = into->n == 0 || from->min < into->min ? from->min : into->min;
    into->max = into->n == 0 || from->max > into->max ? from->max : into->max;
    into->sum += from->sum;
    into->n += from->n;
}

/* A range reaches no further than the values that were seen. */
double histogram_quantile(const struct histogram *h, const struct histogram_scale *scale, double q)
{
    double wanted = q * (double)h->n, before = 0;
    for (uint32_t i = 0; i <= scale->n_bounds && h->n > 0; i++) {
        double here = (double)h->counts[i];
        if (here == 0 || before + here < wanted) {
            before += here;
            continue;
        }
        double low = (double)(i > 0 && scale->bounds[i - 1] > h->min ? scale->bounds[i - 1]
                                                                     : h->min);
        double high = (double)(i < scale->n_bounds && scale->bounds[i] < h->max ? scale->bounds[i]
                                                                                : h->max);
        return (low + (high - low) * (wanted - before) / here) * scale->unit;
    }
    return h->n > 0 ? (double)h->max * scale->unit : 0;
}

double histogram_mean(const struct histogram *h, const struct histogram_scale *scale)
{
    return h->n > 0 ? (double)h->sum / (double)h->n * scale->unit : 0;
}
