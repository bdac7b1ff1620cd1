/* stats.c - the lists as tables, and sums. */
#include "server/stats.h"

#define NUMBER(name_, text_, unit_)     {.name = #name_, .text = text_, .unit = unit_},
#define HISTOGRAM(name_, text_, scale_) {.name = #name_, .text = text_, .scale = &scale_},

const struct stats_kind stats_gauges[] = {STATS_GAUGES(NUMBER)};
const struct stats_kind stats_counters[] = {STATS_COUNTERS(NUMBER)};
const struct stats_kind stats_histograms[] = {STATS_HISTOGRAMS(HISTOGRAM)};

void stats_count(struct stats *s, enum stats_histogram which, uint64_t value)
{
    histogram_add(&s->histograms[which], stats_histograms[which].scale, value);
}

void stats_add(struct stats *into, const struct stats *from)
{
    for (int i = 0; i < STATS_COUNTERS_COUNT; i++)
        into->counters[i] += from->counters[i];
    for (int i = 0; i < STATS_HISTOGRAMS_COUNT; i++)
        histogram_merge(&into->histograms[i], &from->histograms[i]);
}
