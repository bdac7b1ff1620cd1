/* histogram.h - how often values fell into which range.
 *
 * Values are integers (nanoseconds, or plain counts). Nothing here allocates and a struct histogram
 * has no pointers, so that it can be sent to another process; what its counts mean is the scale,
 * which both sides know. Counts only grow: the histograms of a process and of the one started after
 * it are added up. */
#ifndef SERVER_HISTOGRAM_H
#define SERVER_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 22 };

struct histogram_scale {
    uint64_t bounds[HISTOGRAM_BOUNDS_MAX]; /* ascending */
    uint32_t n_bounds;
    double unit; /* of one, in what is shown: 1e-9 shows nanoseconds as seconds */
};

extern const struct histogram_scale histogram_times;  /* 0.1 ms to 500 s */
extern const struct histogram_scale histogram_counts; /* 1 to 4096 */

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* of values in (bounds[i - 1], bounds[i]] */
    uint64_t n, sum, min, max;                 /* min and max mean nothing while n is 0 */
};

void histogram_add(struct histogram *h, const struct histogram_scale *scale, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* histogram_quantile - the value, in the scale's unit, that a share q of all is at most; values
 * count as spread evenly over their range. 0 when there are none. */
double histogram_quantile(const struct histogram *h, const struct histogram_scale *scale, double q);
double histogram_mean(const struct histogram *h, const struct histogram_scale *scale);

#endif
