/* metrics.c - one answer more. */
#include "server/metrics.h"

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
