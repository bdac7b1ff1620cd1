/* metrics_page.c - GET /metrics: what front and workers count, as Prometheus' text or as JSON. */
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/front_int.h"
#include "server/prometheus.h"
#include "server/receipts.h"
#include "server/sockets.h"

enum { PAGE_BYTES_MAX = 16 << 20 };

void process_said_stats(struct process *p, struct str bytes)
{
    CHECK(bytes.len == sizeof p->stats);
    memcpy(&p->stats, bytes.ptr, sizeof p->stats);
}

void process_lost_stats(struct process *p)
{
    stats_add(&p->stats_before, &p->stats);
    p->stats = (struct stats){0};
}

/* What all processes of the model did, and what the present one does. */
static struct stats stats_of(const struct process *p)
{
    struct stats all = p->stats_before;
    stats_add(&all, &p->stats);
    memcpy(all.gauges, p->stats.gauges, sizeof all.gauges);
    return all;
}

/* ---- text --------------------------------------------------------------------------------- */

static struct prometheus_label label_of(const struct process *p)
{
    return (struct prometheus_label){"model", str_from(p->model->name)};
}

static void add_workers(const struct front *f, struct buf *out)
{
    char name[64];
    for (int k = 0; k < STATS_GAUGES_COUNT; k++) {
        prometheus_family(out, stats_gauges[k].name, "gauge", stats_gauges[k].text);
        for (size_t i = 0; i < f->options.n_models; i++) {
            struct prometheus_label label = label_of(&f->processes[i]);
            struct stats s = stats_of(&f->processes[i]);
            prometheus_number(out, stats_gauges[k].name, &label, 1, s.gauges[k],
                              stats_gauges[k].unit);
        }
    }
    for (int k = 0; k < STATS_COUNTERS_COUNT; k++) {
        snprintf(name, sizeof name, "%s_total", stats_counters[k].name);
        prometheus_family(out, name, "counter", stats_counters[k].text);
        for (size_t i = 0; i < f->options.n_models; i++) {
            struct prometheus_label label = label_of(&f->processes[i]);
            struct stats s = stats_of(&f->processes[i]);
            prometheus_number(out, name, &label, 1, s.counters[k], stats_counters[k].unit);
        }
    }
    for (int k = 0; k < STATS_HISTOGRAMS_COUNT; k++) {
        const struct stats_kind *kind = &stats_histograms[k];
        prometheus_family(out, kind->name, "histogram", kind->text);
        for (size_t i = 0; i < f->options.n_models; i++) {
            struct prometheus_label label = label_of(&f->processes[i]);
            struct stats s = stats_of(&f->processes[i]);
            prometheus_histogram(out, kind->name, &label, 1, &s.histograms[k], kind->scale);
        }
    }
}

static void add_processes(const struct front *f, struct buf *out)
{
    prometheus_family(out, "model_ready", "gauge", "Whether the model's process can answer");
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct prometheus_label label = label_of(&f->processes[i]);
        prometheus_number(out, "model_ready", &label, 1,
                          f->processes[i].state == PROCESS_READY, 1);
    }
    prometheus_family(out, "worker_restarts_total", "counter",
                      "Times that the model's process ended and was started again");
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct prometheus_label label = label_of(&f->processes[i]);
        prometheus_number(out, "worker_restarts_total", &label, 1, f->processes[i].n_restarts, 1);
    }
}

/* The endpoint's path as a label; paths with two methods have both in theirs. */
static struct prometheus_label endpoint_label(size_t i, char text[128])
{
    size_t n;
    const struct endpoint *all = route_endpoints(&n);
    if (i < n)
        snprintf(text, 128, "%s %s", all[i].method, all[i].path);
    else
        snprintf(text, 128, i == METRICS_CALLS ? "CALL generate" : "other");
    return (struct prometheus_label){"endpoint", str_from(text)};
}

static void add_requests(const struct front *f, struct buf *out)
{
    static const char *const classes[] = {"gone", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct metrics *m = &f->metrics;
    char text[128];
    prometheus_family(out, "requests_total", "counter",
                      "Requests by endpoint and answer; gone: the client left before one");
    for (size_t i = 0; i < METRICS_ENDPOINTS_MAX; i++)
        for (size_t k = 0; k < COUNT_OF(classes); k++)
            if (m->n_answers[i][k] > 0) {
                struct prometheus_label labels[] = {endpoint_label(i, text),
                                                    {"status", str_from(classes[k])}};
                prometheus_number(out, "requests_total", labels, 2, m->n_answers[i][k], 1);
            }
    prometheus_family(out, "request_duration_seconds", "histogram",
                      "From a whole request to its answer's end");
    for (size_t i = 0; i < METRICS_ENDPOINTS_MAX; i++)
        if (m->seconds[i].n > 0) {
            struct prometheus_label label = endpoint_label(i, text);
            prometheus_histogram(out, "request_duration_seconds", &label, 1, &m->seconds[i],
                                 &histogram_times);
        }
}

static const struct {
    const char *name, *text;
    size_t offset; /* in struct metrics_key */
} key_counters[] = {
    {"key_calls_total", "Calls to models by key", offsetof(struct metrics_key, n_calls)},
    {"key_prompt_tokens_total", "Tokens read for a key", offsetof(struct metrics_key, n_prompt)},
    {"key_cached_tokens_total", "Those of them that were remembered",
     offsetof(struct metrics_key, n_cached)},
    {"key_generated_tokens_total", "Tokens chosen for a key",
     offsetof(struct metrics_key, n_answer)},
};

static uint64_t key_count(const struct metrics_key *k, size_t which)
{
    uint64_t n;
    memcpy(&n, (const char *)k + key_counters[which].offset, sizeof n);
    return n;
}

/* The first keys by their ids, all others as one. */
static void add_keys(const struct metrics *m, struct buf *out)
{
    for (size_t c = 0; c < COUNT_OF(key_counters); c++) {
        prometheus_family(out, key_counters[c].name, "counter", key_counters[c].text);
        for (size_t i = 0; i <= m->n_keys; i++) {
            const struct metrics_key *k = &m->keys[i];
            struct prometheus_label label = {"key", str_from(i < m->n_keys ? k->id : "other")};
            if (k->n_calls > 0)
                prometheus_number(out, key_counters[c].name, &label, 1, key_count(k, c), 1);
        }
    }
}

static void add_number(struct buf *out, const char *name, const char *type, const char *help,
                       uint64_t value, double unit)
{
    prometheus_family(out, name, type, help);
    prometheus_number(out, name, NULL, 0, value, unit);
}

static void add_receipts(const struct front *f, struct buf *out)
{
    uint64_t n_receipts = 0, n_groups = 0;
    if (!f->receipts)
        return;
    receipts_count(f->receipts, &n_receipts, &n_groups);
    add_number(out, "receipts_total", "counter", "Receipts given", n_receipts, 1);
    add_number(out, "receipt_groups_total", "counter",
               "Groups that they came in, each with one sync and one head of the log", n_groups,
               1);
}

/* keys: what each key did is shown, too. */
static void write_prometheus(const struct front *f, bool keys, struct buf *out)
{
    add_requests(f, out);
    add_number(out, "too_many_requests_total", "counter", "Requests answered with 429",
               f->metrics.n_too_many, 1);
    add_number(out, "malformed_requests_total", "counter", "Requests that were no HTTP",
               http_server_refused(f->server), 1);
    add_number(out, "connections", "gauge", "Open connections",
               http_server_connections(f->server), 1);
    add_number(out, "socket_connections", "gauge", "Open WebSockets",
               sockets_connections(f->sockets), 1);
    add_receipts(f, out);
    add_number(out, "exchanges", "gauge", "Requests that are being answered",
               http_server_exchanges(f->server), 1);
    add_number(out, "uptime_seconds", "gauge", "Since the server was started",
               clock_ns() - f->started_ns, 1e-9);
    add_processes(f, out);
    add_workers(f, out);
    if (keys)
        add_keys(&f->metrics, out);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void write_number(struct writer *w, const char *key, double value)
{
    write_key(w, key);
    write_float(w, (float)value);
}

static void write_ms(struct writer *w, const struct histogram *h)
{
    const struct histogram_scale *s = &histogram_times;
    write_number(w, "avg_ms", histogram_mean(h, s) * 1e3);
    write_number(w, "min_ms", h->n ? (double)h->min * 1e-6 : 0);
    write_number(w, "max_ms", h->n ? (double)h->max * 1e-6 : 0);
    write_number(w, "p50_ms", histogram_quantile(h, s, 0.5) * 1e3);
    write_number(w, "p95_ms", histogram_quantile(h, s, 0.95) * 1e3);
    write_number(w, "p99_ms", histogram_quantile(h, s, 0.99) * 1e3);
}

static double share(uint64_t part, uint64_t all)
{
    return all > 0 ? (double)part / (double)all : 0;
}

/* A model as a node of a network: its process is one. */
static void write_nodes(struct writer *w, const struct front *f)
{
    write_key(w, "nodes");
    write_open(w, '[');
    for (size_t i = 0; i < f->options.n_models; i++) {
        const struct process *p = &f->processes[i];
        struct stats s = stats_of(p);
        const struct histogram *wait = &s.histograms[STATS_time_to_first_token_seconds];
        write_open(w, '{');
        write_key_text(w, "id", str_from(p->model->name));
        write_key_text(w, "gpu", STR("cpu"));
        write_number(w, "load",
                     share(s.gauges[STATS_requests_running], s.gauges[STATS_batch_places]));
        write_number(w, "latency_ms", histogram_mean(wait, &histogram_times) * 1e3);
        write_close(w, '}');
    }
    write_close(w, ']');
}

static void write_model_stats(struct writer *w, const struct process *p)
{
    struct stats s = stats_of(p);
    write_open(w, '{');
    write_key_text(w, "id", str_from(p->model->name));
    write_key_word(w, "ready", p->state == PROCESS_READY ? "true" : "false");
    write_key_int(w, "restarts", (int64_t)p->n_restarts);
    for (int k = 0; k < STATS_GAUGES_COUNT; k++)
        write_number(w, stats_gauges[k].name, (double)s.gauges[k] * stats_gauges[k].unit);
    for (int k = 0; k < STATS_COUNTERS_COUNT; k++)
        if (stats_counters[k].unit == 1)
            write_key_int(w, stats_counters[k].name, (int64_t)s.counters[k]);
        else
            write_number(w, stats_counters[k].name,
                         (double)s.counters[k] * stats_counters[k].unit);
    for (int k = 0; k < STATS_HISTOGRAMS_COUNT; k++) {
        const struct stats_kind *kind = &stats_histograms[k];
        const struct histogram *h = &s.histograms[k];
        write_key(w, kind->name);
        write_open(w, '{');
        write_key_int(w, "count", (int64_t)h->n);
        write_number(w, "mean", histogram_mean(h, kind->scale));
        write_number(w, "p50", histogram_quantile(h, kind->scale, 0.5));
        write_number(w, "p95", histogram_quantile(h, kind->scale, 0.95));
        write_number(w, "p99", histogram_quantile(h, kind->scale, 0.99));
        write_close(w, '}');
    }
    write_close(w, '}');
}

/* Requests, their times and their errors: those that ask for something to be done. */
static void write_work(struct writer *w, const struct metrics *m, double uptime_s)
{
    uint64_t n = m->work_seconds.n, n_failed = n - m->n_work_good;
    int top = 0;
    char error[16] = "";
    write_key(w, "requests");
    write_open(w, '{');
    write_key_int(w, "total", (int64_t)n);
    write_key_int(w, "successful", (int64_t)m->n_work_good);
    write_key_int(w, "failed", (int64_t)n_failed);
    write_number(w, "rps", uptime_s > 0 ? (double)n / uptime_s : 0);
    write_close(w, '}');
    write_key(w, "response_times");
    write_open(w, '{');
    write_ms(w, &m->work_seconds);
    write_close(w, '}');
    for (int status = 400; status < METRICS_STATUSES; status++)
        if (m->n_work_by_status[status] > (top ? m->n_work_by_status[top] : 0))
            top = status;
    snprintf(error, sizeof error, "%d", top);
    write_key(w, "errors");
    write_open(w, '{');
    write_key_int(w, "total", (int64_t)n_failed);
    write_number(w, "rate_percent", 100 * share(n_failed, n));
    if (top)
        write_key_text(w, "top_error", str_from(error));
    else
        write_key_word(w, "top_error", "null");
    write_close(w, '}');
}

static void write_cache(struct writer *w, const struct front *f)
{
    uint64_t hits = 0, misses = 0;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct stats s = stats_of(&f->processes[i]);
        hits += s.counters[STATS_cache_hits];
        misses += s.counters[STATS_cache_misses];
    }
    write_key(w, "cache");
    write_open(w, '{');
    write_key_int(w, "hits", (int64_t)hits);
    write_key_int(w, "misses", (int64_t)misses);
    write_number(w, "hit_rate_percent", 100 * share(hits, hits + misses));
    write_close(w, '}');
}

static void write_keys(struct writer *w, const struct metrics *m)
{
    write_key(w, "keys");
    write_open(w, '[');
    for (size_t i = 0; i <= m->n_keys; i++) {
        const struct metrics_key *k = &m->keys[i];
        if (k->n_calls == 0)
            continue;
        write_open(w, '{');
        write_key_text(w, "id", str_from(i < m->n_keys ? k->id : "other"));
        write_key_int(w, "calls", (int64_t)k->n_calls);
        write_key_int(w, "prompt_tokens", (int64_t)k->n_prompt);
        write_key_int(w, "cached_tokens", (int64_t)k->n_cached);
        write_key_int(w, "generated_tokens", (int64_t)k->n_answer);
        write_close(w, '}');
    }
    write_close(w, ']');
}

static void write_json(const struct front *f, bool keys, struct buf *out)
{
    const struct metrics *m = &f->metrics;
    double uptime_s = (double)(clock_ns() - f->started_ns) * 1e-9;
    size_t n_ready = 0;
    struct writer w;
    for (size_t i = 0; i < f->options.n_models; i++)
        n_ready += f->processes[i].state == PROCESS_READY;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_int(&w, "timestamp", (int64_t)time(NULL));
    write_number(&w, "uptime_seconds", uptime_s);
    write_key_int(&w, "active_nodes", (int64_t)n_ready);
    write_key_int(&w, "total_requests", (int64_t)m->work_seconds.n);
    write_number(&w, "avg_latency_ms",
                 histogram_mean(&m->work_seconds, &histogram_times) * 1e3);
    write_nodes(&w, f);
    write_work(&w, m, uptime_s);
    write_cache(&w, f);
    write_key_int(&w, "connections", http_server_connections(f->server));
    write_key(&w, "models");
    write_open(&w, '[');
    for (size_t i = 0; i < f->options.n_models; i++)
        write_model_stats(&w, &f->processes[i]);
    write_close(&w, ']');
    if (keys)
        write_keys(&w, m);
    write_close(&w, '}');
}

/* ---- the endpoint ------------------------------------------------------------------------- */

static bool wants_json(const struct http_exchange *x)
{
    struct str accept = http_header(x, "Accept"), json = STR("application/json");
    return accept.ptr && memmem(accept.ptr, accept.len, json.ptr, json.len);
}

void get_metrics(struct front *f, struct http_exchange *x)
{
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    if (wants_json(x)) {
        write_json(f, key_has(visit_of(x)->key, KEY_ADMIN), &page);
        reply_json(x, 200, &page);
        return;
    }
    write_prometheus(f, key_has(visit_of(x)->key, KEY_ADMIN), &page);
    CHECK(!page.failed);
    http_reply(x, 200, PROMETHEUS_TYPE, (struct str){page.bytes, page.n_bytes});
    buf_release(&page);
}
