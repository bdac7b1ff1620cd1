/* stats.h - orders and middles of a few measurements. Every x is sorted in ascending order. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>

void stats_sort(double *x, size_t n);
/* Of an even number, the mean of the two in the middle. n >= 1. */
double stats_median(const double *x, size_t n);
/* The smallest that at least `part` of all do not exceed (nearest rank); part in (0, 1]. n >= 1. */
double stats_percentile(const double *x, size_t n, double part);

/* A limit measured before and after says what it was between only where both agree: within 10 % of
 * the larger. */
bool stats_pair_agrees(double before, double after);

#endif
