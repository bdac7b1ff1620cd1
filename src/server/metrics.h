/* metrics.h - what the front counts. It counts answers and their times; tokens and batches are
 * counted by the workers (stats.h). Everything has a fixed size, whoever asks whatever. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/histogram.h"
#include "server/protocol.h"

enum {
    METRICS_ENDPOINTS_MAX = 96, /* the last place: requests that meant no endpoint */
    METRICS_CALLS = METRICS_ENDPOINTS_MAX - 2, /* generate over WebSockets */
    METRICS_STATUSES = 600,
    METRICS_KEYS_MAX = 64,
};

/* Calls to models that a key made. */
struct metrics_key {
    char id[32];
    uint64_t n_calls, n_prompt, n_cached, n_answer; /* n_prompt: tokens read */
};

struct metrics {
    /* By endpoint and hundreds of the status; [0]: the client left before there was one. */
    uint64_t n_answers[METRICS_ENDPOINTS_MAX][6];
    struct histogram seconds[METRICS_ENDPOINTS_MAX];
    uint64_t n_too_many; /* 429 */
    /* Of POST requests: those that ask for something to be done. */
    struct histogram work_seconds;
    uint64_t n_work_good, n_work_by_status[METRICS_STATUSES];
    /* [n_keys], in the order in which they came, and one for all that found no place. */
    struct metrics_key keys[METRICS_KEYS_MAX + 1];
    size_t n_keys;
};

/* metrics_count - an exchange with an endpoint (METRICS_ENDPOINTS_MAX - 1: with none) is over after
 * ns. status 0: its client left first. */
void metrics_count(struct metrics *m, size_t endpoint, bool is_work, int status, uint64_t ns);

/* metrics_call - a call to a model is over. key_id: whose; "" where there are no keys, then nothing
 * is counted. */
void metrics_call(struct metrics *m, const char *key_id, const struct call_usage *usage);

#endif
