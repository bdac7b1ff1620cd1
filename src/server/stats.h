/* stats.h - what a worker tells the front about itself: gauges, counters, histograms.
 *
 * struct stats has no pointers and goes into a frame as it is. Counters and histograms run from the
 * worker's start and only grow; the front adds up those of the processes that one model had. The
 * lists give each its name and sentence, for /metrics and the documentation. */
#ifndef SERVER_STATS_H
#define SERVER_STATS_H

#include <stdint.h>

#include "server/histogram.h"

/* X(name, text, unit) */
#define STATS_GAUGES(X)                                                                            \
    X(requests_running, "Answers in the batch now", 1)                                             \
    X(batch_places, "Answers that the batch has room for", 1)                                      \
    X(requests_waiting, "Answers that wait for a place in the batch", 1)                           \
    X(kv_pages_used, "Pages of keys and values that running answers hold", 1)                      \
    X(kv_pages_remembered, "Pages kept for prompts that begin alike", 1)                           \
    X(kv_pages, "Pages of keys and values that there are", 1)

#define STATS_COUNTERS(X)                                                                          \
    X(answers, "Answers that ended, for whatever reason", 1)                                       \
    X(cancellations, "Answers whose client left or that were cancelled", 1)                        \
    X(prompt_tokens, "Tokens of prompts that were read", 1)                                        \
    X(cached_tokens, "Those of them that were remembered", 1)                                      \
    X(generated_tokens, "Tokens chosen", 1)                                                        \
    X(cache_hits, "Answers whose prompt was partly remembered", 1)                                 \
    X(cache_misses, "Answers of whose prompt nothing was", 1)                                      \
    X(cache_evictions, "Remembered pages given up for others", 1)                                  \
    X(preemptions, "Answers that went back to wait", 1)                                            \
    X(guesses, "Tokens computed ahead", 1)                                                         \
    X(guesses_true, "Those of them that were chosen", 1)                                           \
    X(nonces, "Nonces of proof of compute that were computed", 1)                                  \
    X(steps, "Forward passes", 1)                                                                  \
    X(step_rows, "Tokens that went through them", 1)                                               \
    X(busy_seconds, "Time spent in forward passes", 1e-9)

#define STATS_HISTOGRAMS(X)                                                                        \
    X(queue_seconds, "From an answer's arrival to the step that begins it", histogram_times)       \
    X(time_to_first_token_seconds, "From an answer's arrival to its first token",                  \
      histogram_times)                                                                             \
    X(time_per_output_token_seconds,                                                               \
      "From a token to the next one; those that one step chose come together", histogram_times)    \
    X(batch_size, "Answers that one forward pass computed", histogram_counts)

#define STATS_ENUM(name, text, unit) STATS_##name,
enum stats_gauge { STATS_GAUGES(STATS_ENUM) STATS_GAUGES_COUNT };
enum stats_counter { STATS_COUNTERS(STATS_ENUM) STATS_COUNTERS_COUNT };
enum stats_histogram { STATS_HISTOGRAMS(STATS_ENUM) STATS_HISTOGRAMS_COUNT };
#undef STATS_ENUM

struct stats {
    uint64_t gauges[STATS_GAUGES_COUNT];
    uint64_t counters[STATS_COUNTERS_COUNT];
    struct histogram histograms[STATS_HISTOGRAMS_COUNT];
};

struct stats_kind {
    const char *name, *text;
    double unit;                         /* of a counter or gauge */
    const struct histogram_scale *scale; /* of a histogram, else NULL */
};

extern const struct stats_kind stats_gauges[STATS_GAUGES_COUNT];
extern const struct stats_kind stats_counters[STATS_COUNTERS_COUNT];
extern const struct stats_kind stats_histograms[STATS_HISTOGRAMS_COUNT];

/* stats_count - one value more; stats_add - what grows of from, its gauges left out. */
void stats_count(struct stats *s, enum stats_histogram which, uint64_t value);
void stats_add(struct stats *into, const struct stats *from);

#endif
