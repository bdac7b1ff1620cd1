/* stats.c - sorting, medians, percentiles. */
#include "bench/stats.h"

#include <stdlib.h>

#include "base/check.h"

#define PAIR_APART_MAX 0.10

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *x, size_t n)
{
    if (n)
        qsort(x, n, sizeof *x, compare);
}

double stats_median(const double *x, size_t n)
{
    CHECK(n > 0);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

double stats_percentile(const double *x, size_t n, double part)
{
    CHECK(n > 0 && part > 0 && part <= 1);
    size_t rank = (size_t)((double)n * part);
    if ((double)rank < (double)n * part)
        rank++;
    return x[rank - 1];
}

bool stats_pair_agrees(double before, double after)
{
    double apart = before > after ? before - after : after - before;
    return apart <= PAIR_APART_MAX * (before > after ? before : after);
}
