/* metrics.c - one answer more. */
#include "server/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

void metrics_count(struct metrics *m, size_t endpoint, bool is_work, int status, uint64_t ns)
{
    CHECK(endpoint < METRICS_ENDPOINTS_MAX && status >= 0 && status < METRICS_STATUSES);
    m->n_answers[endpoint][status / 100]++;
    m->n_too_many += status == 429;
    histogram_add(&m->seconds[endpoint], &histogram_times, ns);
    if (!is_work)
        return;
    histogram_add(&m->work_seconds, &histogram_times, ns);
    m->n_work_by_status[status]++;
    m->n_work_good += status / 100 == 2;
}

static struct metrics_key *find_key(struct metrics *m, const char *id)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (strcmp(m->keys[i].id, id) == 0)
            return &m->keys[i];
    struct metrics_key *k = &m->keys[m->n_keys];
    if (m->n_keys < METRICS_KEYS_MAX) {
        m->n_keys++;
        snprintf(k->id, sizeof k->id, "%s", id);
    }
    return k;
}

void metrics_call(struct metrics *m, const char *key_id, const struct call_usage *usage)
{
    if (!key_id[0])
        return;
    struct metrics_key *k = find_key(m, key_id);
    k->n_calls++;
    k->n_prompt += usage->n_read;
    k->n_cached += usage->n_cached;
    k->n_answer += usage->n_answer;
}
